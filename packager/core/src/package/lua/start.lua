ld:startv({
  log = { @TAG@, "b" },
  scheduler = scheduler(@PRIORITY@),
  caps = {
@CAPS@  },
}, @COMMAND@)
