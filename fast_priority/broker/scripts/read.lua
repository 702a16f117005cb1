-- Take answers off a gateway's inbox, oldest first: at least one, and no more once they have so many bytes.
--
-- KEYS: 1 inbox
-- ARGV: 1 most bytes
-- Returns the answers.

local answers, bytes = {}, 0
while bytes < tonumber(ARGV[1]) do
  local answer = redis.call('LPOP', KEYS[1])
  if not answer then break end
  answers[#answers + 1] = answer
  bytes = bytes + #answer
end
return answers
