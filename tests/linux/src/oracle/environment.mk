# Read first, through the variable MAKEFILES: a goal that writes down what the top Makefile exports
# to every directory, and which directories it descends into: up to Linux 5.18 several, since then
# only the root of the tree.
l4re-environment:
	@env -0 > .kbuild-env
	@echo '$(build-dirs)' > .kbuild-dirs
