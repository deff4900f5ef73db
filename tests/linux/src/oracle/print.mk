# Prints what Kbuild makes of one directory; read after the tree's own scripts/Makefile.build. One
# line each: kind, then fields separated by tabs.
tab := $(empty)	$(empty)
rel = $(patsubst $(obj)/%,%,$1)
# What directories below inherit: exported variables that this Makefile has changed.
$(foreach v,$(exported),$(if $(filter file override,$(origin $v)),$(info ENV$(tab)$v$(tab)$($v))))
$(info SUBDIRS$(tab)$(subdir-ym)$(tab)$(subdir-builtin)$(tab)$(subdir-modorder))
$(foreach m,$(filter-out %/built-in.a,$(obj-y)),$(info Y$(tab)$m$(tab)$(if $(filter $m,$(multi-obj-y)),1)$(tab)$(call real-search,$m,.o,-objs -y)))
$(foreach m,$(filter-out %/modules.order,$(call rel,$(obj-m))),$(info M$(tab)$m$(tab)$(if $(filter $(addprefix $(obj)/,$m) $m,$(multi-obj-m)),1)$(tab)$(call real-search,$m,.o,-objs -y -m)))
$(info LIB$(tab)$(call rel,$(lib-y)))
@ :=
* :=
one = $(eval @ := $1)$(eval * := $(basename $(call rel,$1)))$(info O$(tab)$1$(tab)$(part-of-module)$(tab)$(modname)$(tab)$(_c_flags)$(tab)$(_a_flags))
$(foreach o,$(sort $(filter %.o,$(filter-out %/built-in.a %/modules.order,$(real-obj-y) $(real-obj-m) $(lib-y)))),$(call one,$o))
print:
	@:
