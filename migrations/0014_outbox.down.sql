DROP TABLE dead_chats;
DROP TABLE outbox;
