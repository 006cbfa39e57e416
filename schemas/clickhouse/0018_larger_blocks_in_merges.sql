-- Merges of the tables that take a row or more for each hit: in blocks of 64 Ki rows, not 8 Ki, they cost a tenth less.
ALTER TABLE hits_rows MODIFY SETTING merge_max_block_size = 65536;

ALTER TABLE sessions_rows MODIFY SETTING merge_max_block_size = 65536;

ALTER TABLE transitions_rows MODIFY SETTING merge_max_block_size = 65536;
