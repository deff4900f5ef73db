-- vi:ft=lua
-- io's configuration for bash.cfg, besides rom/virtio-blk.io, the one of the virtio-blk package: the
-- bus whose resources the services behind systemd may map. It has no device yet.

Io.add_vbusses
{
  iomem = Io.Vi.System_bus(function()
    -- For example: uart = wrap(Io.system_bus():match("arm,pl011"))
  end),
}
