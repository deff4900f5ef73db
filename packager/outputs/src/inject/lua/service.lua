
-- For the scripts that follow, which run in the same Lua state. `gate` is what clients ask for
-- devices; `create` asks until the driver has one.
local driver = { gate = server }

function driver:create(...)
  return create(self.gate, ...)
end

drivers = drivers or {}
drivers[@NAME@] = driver
