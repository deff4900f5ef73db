################################################################################
#
# l4drv-fs-server
#
################################################################################

L4DRV_FS_SERVER_VERSION = 0.1
L4DRV_FS_SERVER_SITE = $(BR2_EXTERNAL_L4RE_DRIVERS_PATH)/dist/l4drv-fs-server
L4DRV_FS_SERVER_SITE_METHOD = local
L4DRV_FS_SERVER_LICENSE = MIT
L4DRV_FS_SERVER_PROVIDES = file-server
L4DRV_FS_SERVER_LICENSE_FILES = LICENSE
L4DRV_FS_SERVER_DEPENDENCIES = block-driver
L4DRV_FS_SERVER_FOLDER = $(if $(BR2_aarch64),arm64)

# A finished program that stands alone: it needs neither toolchain nor skeleton,
# and it is none of Linux, which the check of architectures would complain of.
L4DRV_FS_SERVER_ADD_TOOLCHAIN_DEPENDENCY = NO
L4DRV_FS_SERVER_ADD_SKELETON_DEPENDENCY = NO
L4DRV_FS_SERVER_BIN_ARCH_EXCLUDE = /usr/bin/fs-server-drv

HOST_L4DRV_FS_SERVER_PROVIDES = host-file-server
HOST_L4DRV_FS_SERVER_DEPENDENCIES =

define L4DRV_FS_SERVER_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/$(L4DRV_FS_SERVER_FOLDER)/fs-server-drv \
		$(TARGET_DIR)/usr/bin/fs-server-drv
endef

define L4DRV_FS_SERVER_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/fs-server.service \
		$(TARGET_DIR)/usr/lib/systemd/system/fs-server.service
endef

define HOST_L4DRV_FS_SERVER_INSTALL_CMDS
	$(INSTALL) -D -m 0755 $(@D)/host/mk-disk $(HOST_DIR)/bin/mk-disk
endef

$(eval $(generic-package))
$(eval $(host-generic-package))
