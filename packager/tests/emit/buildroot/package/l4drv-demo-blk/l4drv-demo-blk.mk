################################################################################
#
# l4drv-demo-blk
#
################################################################################

L4DRV_DEMO_BLK_VERSION = 1.2.0
L4DRV_DEMO_BLK_SITE = $(BR2_EXTERNAL_L4RE_DRIVERS_PATH)/dist/l4drv-demo-blk
L4DRV_DEMO_BLK_SITE_METHOD = local
L4DRV_DEMO_BLK_LICENSE = MIT or Apache-2.0
L4DRV_DEMO_BLK_PROVIDES = block-driver
L4DRV_DEMO_BLK_LICENSE_FILES = LICENSE
L4DRV_DEMO_BLK_FOLDER = $(if $(BR2_aarch64),arm64)

# A finished program that stands alone: it needs neither toolchain nor skeleton,
# and it is none of Linux, which the check of architectures would complain of.
L4DRV_DEMO_BLK_ADD_TOOLCHAIN_DEPENDENCY = NO
L4DRV_DEMO_BLK_ADD_SKELETON_DEPENDENCY = NO
L4DRV_DEMO_BLK_BIN_ARCH_EXCLUDE = /usr/lib/drivers/demo-blk-drv

HOST_L4DRV_DEMO_BLK_PROVIDES = host-block-driver

define L4DRV_DEMO_BLK_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/$(L4DRV_DEMO_BLK_FOLDER)/demo-blk-drv \
		$(TARGET_DIR)/usr/lib/drivers/demo-blk-drv
endef

define L4DRV_DEMO_BLK_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/demo-blk.service \
		$(TARGET_DIR)/usr/lib/systemd/system/demo-blk.service
endef

define HOST_L4DRV_DEMO_BLK_INSTALL_CMDS
	$(INSTALL) -D -m 0755 $(@D)/host/mk-disk $(HOST_DIR)/bin/mk-disk
endef

$(eval $(generic-package))
$(eval $(host-generic-package))
