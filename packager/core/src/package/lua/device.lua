
@HINT@@OFF@local @CAP@ = create(server@ARGS@)
@OFF@print(@READY@)

-- The client finds it in its capabilities under the name given here.
-- ld:startv({
--   log = { "client", "y" },
--   scheduler = scheduler(0x10),
--   caps = { @CAP@ = @CAP@ },
-- }, "rom/client")
