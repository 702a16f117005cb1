-- Say something about requests that a worker started, to the gateways that asked for them; the last thing said ends a
-- request, and nothing of it stays.
--
-- A worker whose lease is gone may still speak: Redis may have lost it, being away, and the gateway may still wait. It is
-- the gateway that gives a request up; from then on it hears nothing of it, and what it has marked as over is dropped
-- here. So is what is said of a job that another execution holds.
--
-- KEYS: 1 started high, 2 started low
-- ARGV: 1 job key prefix, 2 mark key prefix, 3 inbox key prefix, 4 inbox TTL,
--       then for each frame: id, execution id, queue name, gateway id, frame ('' to say nothing), '1' if it is the last
-- Returns, for each frame, 1 if it was delivered, 0 if it was dropped, and -1 if the gateway's inbox is no list.

local started = { high = KEYS[1], low = KEYS[2] }
local delivered = {}
for i = 5, #ARGV, 6 do
  local id, gateway, frame, is_last = ARGV[i], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5] == '1'
  local lane, member, job = started[ARGV[i + 2]], id .. ':' .. ARGV[i + 1], ARGV[1] .. id
  local inbox = ARGV[3] .. gateway
  -- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
  redis.call('EXPIRE', inbox, ARGV[4])
  local is_leased = is_last and redis.call('ZREM', lane, member) == 1 or redis.call('ZSCORE', lane, member)
  local is_anothers = not is_leased and redis.call('EXISTS', job) == 1
  if is_last and not is_anothers then redis.call('DEL', job) end
  local outcome = 0
  if not is_anothers and gateway ~= '' and redis.call('EXISTS', ARGV[2] .. id) == 0 then
    outcome = 1
    if frame ~= '' then
      outcome = pcall(redis.call, 'RPUSH', inbox, frame) and 1 or -1
      redis.call('EXPIRE', inbox, ARGV[4])
    end
  end
  delivered[#delivered + 1] = outcome
end
return delivered
