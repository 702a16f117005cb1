-- Push frames on a mailbox, also where Redis has no memory for a plain command.
--
-- KEYS: 1 the mailbox
-- ARGV: 1 mailbox TTL, then the frames

-- First of all, for it is carried out even by a Redis that is out of memory, and what follows it in a script as well.
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
return redis.call('EXPIRE', KEYS[1], ARGV[1])
