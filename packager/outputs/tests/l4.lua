-- What ned has in the module `L4`, as far as scripts use it: each call is written down in `calls`.
-- `answers` says what create() of a driver's gate gives: a function per call, the last one for all
-- that follow.
calls, answers, slept = {}, { function() return "device" end }, 0

local channel = {}
channel.__index = channel
function channel:svr() return { server = self } end
function channel:m(rights) return { channel = self, rights = rights } end

local factory = {}
factory.__index = factory
function factory:create(proto, ...)
  if proto ~= 0 then
    return { proto = proto }
  end
  self.count = (self.count or 0) + 1
  return answers[math.min(self.count, #answers)](...)
end

local Loader = {}
Loader.__index = Loader
function Loader:new_channel() return setmetatable({}, channel) end
function Loader:startv(env, program, ...)
  local words = { program }
  for _, word in ipairs({ ... }) do
    words[#words + 1] = type(word) == "table" and "{}" or word
  end
  local caps = {}
  for name in pairs(env.caps or {}) do
    caps[#caps + 1] = name
  end
  table.sort(caps)
  calls[#calls + 1] = table.concat(words, " ") .. " | " .. table.concat(caps, " ")
end
function Loader:start(env, line)
  local words = {}
  for word in line:gmatch("%S+") do
    words[#words + 1] = word
  end
  self:startv(env, table.unpack(words))
end

package.preload["L4"] = function()
  local l4 = {
    Env = setmetatable({
      user_factory = setmetatable({}, factory), sigma0 = {}, icu = {}, scheduler = {}, rom = {},
      log = {},
    }, { __index = function() return nil end }),
    Proto = { Scheduler = 1, Factory = 2, Sigma0 = 3, Log = 4, Dataspace = 5 },
    Loader = Loader,
    default_loader = setmetatable({}, Loader),
    -- One factory per gate, so that it counts what it is asked.
    cast = function(_, gate)
      gate.factory = gate.factory or setmetatable({}, factory)
      return gate.factory
    end,
    msleep = function(ms) slept = slept + ms end,
  }
  L4 = l4
  return l4
end
