
-- The same name is the same channel, in the scripts of all drivers.
channels = channels or {}
local function channel(name)
  channels[name] = channels[name] or ld:new_channel()
  return channels[name]
end
