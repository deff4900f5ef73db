-- vi:ft=lua
-- Made by the packager from driver.toml and the program.
-- Every PCI device that demo-blk can drive.

Io.add_vbusses
{
  ["vbus"] = Io.Vi.System_bus(function()
    PCI0 = Io.Vi.PCI_bus(function()
      dev = wrap(Io.system_bus():match("PCI/CC_0180"))
    end)
  end),
}
