Io.add_vbusses
{
  ["@BUS@"] = Io.Vi.System_bus(function()
    dev = wrap(Io.system_bus():match(@IDS@))
  end),
}
