
-- A capability that is nil would vanish from its table without a word.
local function need(name, cap)
  return cap or error("there is no capability to pass as " .. name)
end
