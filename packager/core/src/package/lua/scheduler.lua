
local L4 = require("L4")
local ld = L4.default_loader

-- io above drivers above clients: the other way round they crawl, or wait for each other for ever.
local function scheduler(priority)
  return L4.Env.user_factory:create(L4.Proto.Scheduler, priority + 10, priority)
end
