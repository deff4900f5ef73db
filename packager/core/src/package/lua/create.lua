
-- The driver refuses as long as it still looks for its devices, so ask again. Some versions of ned
-- answer a refusal with nil, others raise an error.
local function create(gate, ...)
  local factory = L4.cast(L4.Proto.Factory, gate)
  local answer
  for _ = 1, 100 do
    local done
    done, answer = pcall(factory.create, factory, 0, ...)
    if done and answer then
      return answer
    end
    L4.msleep(100)
  end
  if type(answer) == "table" then
    answer = answer.msg
  end
  error("the driver makes no device: " .. tostring(answer))
end
