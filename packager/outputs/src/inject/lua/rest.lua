
-- The image's own script, with its own arguments.
local rest = {}
for i, word in ipairs(arg or {}) do
  rest[i - 1] = word
end
arg = rest
if rest[0] then
  dofile(rest[0])
end
