-- The virtio-mmio transports of @PLATFORM@, with or without a device behind them. Several share a
-- page: who may use one of them can reach its neighbours.
Io.hw_add_devices(function()
  for i = 0, @LAST@ do
    local base = @BASE@ + i * @STRIDE@
    _ENV["vmmio" .. i] = Io.Hw.Device(function()
      Property.hid = "virtio" .. i
      Property.flags = Io.Hw_device_DF_dma_supported
      compatible = { "virtio,mmio" }
      Resource.reg0 = Io.Res.mmio(base, base + @SIZE@)
      Resource.irq0 = Io.Res.irq(@IRQ@ + i, Io.Resource.Irq_type_raising_edge)
    end)
  end
end)

