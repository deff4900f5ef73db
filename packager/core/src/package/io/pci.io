-- Every PCI device that @NAME@ can drive.

Io.add_vbusses
{
  ["@BUS@"] = Io.Vi.System_bus(function()
    PCI0 = Io.Vi.PCI_bus(function()
      dev = wrap(Io.system_bus():match(@IDS@))
    end)
  end),
}
