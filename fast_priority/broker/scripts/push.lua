-- Push frames on a mailbox, also where Redis has no memory for a plain command.
--
-- Keys:      mailbox_key
-- Arguments: frames

-- First, because Redis carries out EXPIRE also without memory, and then whatever follows it in the script.
redis.call('EXPIRE', mailbox_key, INBOX_TTL_SECONDS)
redis.call('RPUSH', mailbox_key, unpack(frames))
return redis.call('EXPIRE', mailbox_key, INBOX_TTL_SECONDS)
