-- vi:ft=lua
-- Made by the packager from driver.toml and the program.
-- Every device of the board that demo-blk can drive.

-- The virtio-mmio transports of arm_virt, with or without a device behind them. Several share a
-- page: who may use one of them can reach its neighbours.
Io.hw_add_devices(function()
  for i = 0, 31 do
    local base = 0x0a000000 + i * 0x200
    _ENV["vmmio" .. i] = Io.Hw.Device(function()
      Property.hid = "virtio" .. i
      Property.flags = Io.Hw_device_DF_dma_supported
      compatible = { "virtio,mmio" }
      Resource.reg0 = Io.Res.mmio(base, base + 0x1ff)
      Resource.irq0 = Io.Res.irq(48 + i, Io.Resource.Irq_type_raising_edge)
    end)
  end
end)

Io.add_vbusses
{
  ["vbus"] = Io.Vi.System_bus(function()
    dev = wrap(Io.system_bus():match("virtio,mmio"))
  end),
}
