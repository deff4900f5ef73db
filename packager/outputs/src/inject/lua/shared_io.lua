
-- The image starts io itself: when it does, io gets one more bus. Until then the driver waits.
local startv = L4.Loader.startv
local served = false
function L4.Loader:startv(env, program, ...)
  if served or program:match("[^/]*$") ~= "io" then
    return startv(self, env, program, ...)
  end
  served = true
  env.caps = env.caps or {}
  env.caps[@BUS@] = bus:svr()
  local words = { ... }
  -- Behind the words there can be a table of environment variables.
  local place = type(words[#words]) == "table" and #words or #words + 1
  table.insert(words, place, @FILE@)
  return startv(self, env, program, table.unpack(words))
end
