#include "switch/provision_store_sqlite.hpp"

namespace tandem {
namespace {

constexpr store::Migration steps[] = {
    {1, R"sql(
      CREATE TABLE objects(
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        json TEXT NOT NULL,                  -- a rate deck without its rates
        PRIMARY KEY(kind, id)
      ) WITHOUT ROWID;
      CREATE TABLE deck_versions(
        deck TEXT NOT NULL,
        number INTEGER NOT NULL,
        digest TEXT NOT NULL,
        row_count INTEGER NOT NULL,
        memo TEXT NOT NULL,
        made_at_us INTEGER NOT NULL,
        due_at_us INTEGER NOT NULL,          -- 0: not planned
        activated_at_us INTEGER NOT NULL,    -- 0: never
        is_active INTEGER NOT NULL,
        PRIMARY KEY(deck, number)
      ) WITHOUT ROWID;
      CREATE TABLE deck_rates(               -- apart, so that a list of versions reads none of it
        deck TEXT NOT NULL,
        number INTEGER NOT NULL,
        csv BLOB NOT NULL,
        PRIMARY KEY(deck, number)
      );
    )sql"},
    {2, R"sql(
      ALTER TABLE deck_versions ADD COLUMN currency TEXT NOT NULL DEFAULT '';  -- '': not known
      CREATE TABLE file_decks(
        deck TEXT PRIMARY KEY NOT NULL,
        digest TEXT NOT NULL                 -- of the rates that the file had last
      ) WITHOUT ROWID;
      -- The file's rates were made active at each start, so these are its last or put since.
      INSERT INTO file_decks SELECT deck, digest FROM deck_versions WHERE is_active;
    )sql"},
};

}  // namespace

Result<std::unique_ptr<ProvisionStore>> ProvisionStore::open(const std::string& path) {
  auto connection = store::Connection::open(path);
  if (!connection) return std::move(connection).error();
  if (auto done = store::migrate(*connection, "provision", steps); !done)
    return std::move(done).error();
  return std::unique_ptr<ProvisionStore>(new ProvisionStore(std::move(*connection), true));
}

Result<std::unique_ptr<ProvisionStore>> ProvisionStore::open_to_read(const std::string& path) {
  std::unique_ptr<ProvisionStore> none;
  if (path == ":memory:") return none;
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection) {
    if (connection.error().code == ErrorCode::not_found) return none;
    return std::move(connection).error();
  }
  auto select = connection->prepare(
      "SELECT count(*), sum(name = 'file_decks') FROM sqlite_master "
      "WHERE name IN ('deck_rates', 'file_decks')");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (select->integer(0) == 0) return none;
  const bool has_file_decks = select->integer(1) != 0;
  *select = store::Statement();
  return std::unique_ptr<ProvisionStore>(
      new ProvisionStore(std::move(*connection), has_file_decks));
}

Result<std::vector<ProvisionedObject>> ProvisionStore::objects() {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT kind, id, json FROM objects ORDER BY kind, id");
  if (!select) return std::move(select).error();
  std::vector<ProvisionedObject> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back({std::string(select->text(0)), std::string(select->text(1)),
                     std::string(select->text(2)), std::nullopt});
  }
}

Result<std::vector<DeckVersion>> ProvisionStore::versions(std::string_view deck) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare(
      "SELECT number, digest, row_count, memo, made_at_us, due_at_us, activated_at_us, is_active "
      "FROM deck_versions WHERE deck = ? ORDER BY number DESC");
  if (!select) return std::move(select).error();
  select->bind(1, deck);
  std::vector<DeckVersion> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back({static_cast<std::uint64_t>(select->integer(0)), std::string(select->text(1)),
                     static_cast<std::uint64_t>(select->integer(2)), std::string(select->text(3)),
                     select->integer(4), select->integer(5), select->integer(6),
                     select->integer(7) != 0});
  }
}

Result<std::string> ProvisionStore::rates(std::string_view deck, std::uint64_t number) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare("SELECT csv FROM deck_rates WHERE deck = ? AND number = ?");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, deck).bind(2, static_cast<std::int64_t>(number)).step();
  if (!row) return std::move(row).error();
  if (!*row) {
    return Error{ErrorCode::not_found, "rate deck \"" + std::string(deck) + "\" has no version " +
                                           std::to_string(number)};
  }
  return std::string(select->text(0));
}

Result<std::string> ProvisionStore::currency(std::string_view deck, std::uint64_t number) {
  if (!has_file_decks_) return std::string();
  const std::lock_guard guard(mutex_);
  auto select =
      connection_.prepare("SELECT currency FROM deck_versions WHERE deck = ? AND number = ?");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, deck).bind(2, static_cast<std::int64_t>(number)).step();
  if (!row) return std::move(row).error();
  return *row ? std::string(select->text(0)) : std::string();
}

Result<std::string> ProvisionStore::file_digest(std::string_view deck) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare(
      has_file_decks_ ? "SELECT digest FROM file_decks WHERE deck = ?"
                      : "SELECT digest FROM deck_versions WHERE deck = ? AND is_active");
  if (!select) return std::move(select).error();
  auto row = select->bind(1, deck).step();
  if (!row) return std::move(row).error();
  return *row ? std::string(select->text(0)) : std::string();
}

Result<std::vector<ProvisionStore::VersionChange>> ProvisionStore::due(std::int64_t until_us) {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare(
      "SELECT deck, number, due_at_us FROM deck_versions WHERE due_at_us BETWEEN 1 AND ? "
      "ORDER BY due_at_us, deck, number");
  if (!select) return std::move(select).error();
  select->bind(1, until_us);
  std::vector<VersionChange> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back({std::string(select->text(0)), static_cast<std::uint64_t>(select->integer(1)),
                     select->integer(2)});
  }
}

Result<void> ProvisionStore::write(const Batch& batch) {
  if (batch.is_empty()) return {};
  const std::lock_guard guard(mutex_);
  auto transaction = store::Transaction::begin(connection_);
  if (!transaction) return std::move(transaction).error();
  if (auto done = write_objects(batch); !done) return done;
  for (const NewVersion& added : batch.versions) {
    if (auto done = add(added); !done) return done;
    if (auto done = prune(added.deck); !done) return done;
  }
  for (const VersionChange& change : batch.activations) {
    if (auto done = activate(change); !done) return done;
  }
  for (const VersionChange& change : batch.plans) {
    if (auto done = plan(change); !done) return done;
  }
  for (const FileDeck& file : batch.file_decks) {
    auto note = connection_.prepare(
        "INSERT INTO file_decks VALUES(?1, ?2) ON CONFLICT(deck) DO UPDATE SET digest = ?2");
    if (!note) return std::move(note).error();
    if (auto done = note->bind(1, file.deck).bind(2, file.digest).run(); !done) return done;
  }
  return transaction->commit();
}

Result<void> ProvisionStore::write_objects(const Batch& batch) {
  auto put = connection_.prepare(
      "INSERT INTO objects VALUES(?1, ?2, ?3) ON CONFLICT(kind, id) DO UPDATE SET json = ?3");
  if (!put) return std::move(put).error();
  for (const ProvisionedObject& object : batch.puts) {
    auto done = put->bind(1, object.kind).bind(2, object.id).bind(3, object.json).run();
    if (!done) return done;
  }
  for (const ObjectName& name : batch.removals) {
    auto remove = connection_.prepare("DELETE FROM objects WHERE kind = ? AND id = ?");
    if (!remove) return std::move(remove).error();
    if (auto done = remove->bind(1, name.kind).bind(2, name.id).run(); !done) return done;
    if (name.kind != "rate_decks") continue;
    for (const char* sql :
         {"DELETE FROM deck_versions WHERE deck = ?", "DELETE FROM deck_rates WHERE deck = ?",
          "DELETE FROM file_decks WHERE deck = ?"}) {
      auto versions = connection_.prepare(sql);
      if (!versions) return std::move(versions).error();
      if (auto done = versions->bind(1, name.id).run(); !done) return done;
    }
  }
  return {};
}

Result<void> ProvisionStore::add(const NewVersion& added) {
  auto last = connection_.prepare("SELECT max(number) FROM deck_versions WHERE deck = ?");
  if (!last) return std::move(last).error();
  auto row = last->bind(1, added.deck).step();
  if (!row) return std::move(row).error();
  const std::int64_t number = (*row ? last->integer(0) : 0) + 1;
  auto insert =
      connection_.prepare("INSERT INTO deck_versions VALUES(?, ?, ?, ?, ?, ?, ?, 0, 0, ?)");
  if (!insert) return std::move(insert).error();
  const DeckVersion& version = added.version;
  insert->bind(1, added.deck).bind(2, number).bind(3, version.digest);
  insert->bind(4, static_cast<std::int64_t>(version.rows)).bind(5, version.memo);
  insert->bind(6, version.made_at_us).bind(7, version.due_at_us).bind(8, added.currency);
  if (auto done = insert->run(); !done) return done;
  auto rates = connection_.prepare("INSERT INTO deck_rates VALUES(?, ?, ?)");
  if (!rates) return std::move(rates).error();
  rates->bind(1, added.deck).bind(2, number).bind_blob(3, added.csv);
  if (auto done = rates->run(); !done) return done;
  if (!version.is_active) return {};
  return activate({added.deck, static_cast<std::uint64_t>(number), version.activated_at_us});
}

Result<void> ProvisionStore::activate(const VersionChange& change) {
  auto update = connection_.prepare(
      "UPDATE deck_versions SET is_active = (number = ?2), "
      "activated_at_us = CASE number WHEN ?2 THEN ?3 ELSE activated_at_us END, "
      "due_at_us = CASE number WHEN ?2 THEN 0 ELSE due_at_us END WHERE deck = ?1");
  if (!update) return std::move(update).error();
  update->bind(1, change.deck).bind(2, static_cast<std::int64_t>(change.number));
  return update->bind(3, change.at_us).run();
}

Result<void> ProvisionStore::plan(const VersionChange& change) {
  auto update =
      connection_.prepare("UPDATE deck_versions SET due_at_us = ? WHERE deck = ? AND number = ?");
  if (!update) return std::move(update).error();
  update->bind(1, change.at_us).bind(2, change.deck);
  return update->bind(3, static_cast<std::int64_t>(change.number)).run();
}

Result<void> ProvisionStore::prune(const std::string& deck) {
  // The newest stays whatever it is, so that numbers are never used again.
  const std::string surplus =
      "SELECT number FROM deck_versions WHERE deck = ?1 AND NOT is_active AND due_at_us = 0 AND "
      "number < (SELECT max(number) FROM deck_versions WHERE deck = ?1) ORDER BY number LIMIT "
      "max(0, (SELECT count(*) FROM deck_versions WHERE deck = ?1) - ?2)";
  for (const std::string table : {"deck_rates", "deck_versions"}) {  // the second is asked by both
    auto remove = connection_.prepare("DELETE FROM " + table + " WHERE deck = ?1 AND number IN (" +
                                      surplus + ")");
    if (!remove) return std::move(remove).error();
    remove->bind(1, deck).bind(2, static_cast<std::int64_t>(deck_versions_max));
    if (auto done = remove->run(); !done) return done;
  }
  return {};
}

}  // namespace tandem
