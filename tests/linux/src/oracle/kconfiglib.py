# Loads the tree around with kconfiglib and prints what it says about every symbol, as JSON.
import io, json, os, re, sys
import kconfiglib
from kconfiglib import BOOL, TRISTATE, TRI_TO_STR, TYPE_TO_STR, Kconfig


class Tree(Kconfig):
    # kconfiglib 14.1 does not know the attribute `modules` without `option` (since Linux 5.17), nor
    # `transitional` (6.18), nor dependencies with a condition (7.0).
    def _open(self, filename, mode):
        with open(filename, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"(?m)^\tmodules$", "\toption modules", text)
        text = re.sub(r"(?m)^\ttransitional$", "", text)
        text = re.sub(r"(?m)^(\tdepends on )(.*) if (\w+)$", r"\1(\2) || \3=n", text)
        return io.StringIO(text)


tree = Tree("Kconfig", warn=False)
if sys.argv[1] == "load":
    sys.exit(0)

root = os.environ["srctree"].rstrip("/") + "/"
relative = lambda name: name[len(root):] if name.startswith(root) else name
symbols = {}
for symbol in tree.unique_defined_syms:
    symbols[symbol.name] = {
        "type": TYPE_TO_STR[symbol.orig_type],
        "definitions": [
            (relative(node.filename), node.linenr, node.prompt and node.prompt[0])
            for node in symbol.nodes
        ],
        "states": {},
    }


def keep(preset):
    for symbol in tree.unique_defined_syms:
        state = (symbol.str_value, TRI_TO_STR[symbol.visibility])
        symbols[symbol.name]["states"][preset] = state


for symbol in tree.unique_defined_syms:
    symbol.set_value(2 if symbol.is_allnoconfig_y else 0)
keep("allnoconfig")

for symbol in tree.unique_defined_syms:
    symbol.unset_value()
if len(sys.argv) > 2:
    tree.load_config(sys.argv[2])
    keep("defconfig")

for symbol in tree.unique_defined_syms:
    symbol.unset_value()
for choice in tree.unique_choices:
    choice.unset_value()
for symbol in tree.unique_defined_syms:
    if symbol.orig_type == BOOL and not symbol.choice:
        symbol.set_value(2)
    elif symbol.orig_type == TRISTATE:
        symbol.set_value(1)
for choice in tree.unique_choices:
    choice.set_value(2 if choice.orig_type == BOOL else 1)
keep("allmodconfig")
json.dump(symbols, sys.stdout)
