# Read first, through the variable MAKEFILES: a goal that writes down what the top Makefile exports
# to every directory.
l4re-environment:
	@env -0 > .kbuild-env
