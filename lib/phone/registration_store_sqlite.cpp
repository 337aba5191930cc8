#include "phone/registration_store_sqlite.hpp"

#include <utility>

namespace tandem::phone {
namespace {

constexpr store::Migration steps[] = {
    {1, R"sql(
      CREATE TABLE registrations(
        registrant TEXT NOT NULL,
        place INTEGER NOT NULL,
        uri TEXT NOT NULL,
        identity TEXT NOT NULL,
        call_id TEXT NOT NULL,
        cseq INTEGER NOT NULL,
        product TEXT NOT NULL,
        destination TEXT NOT NULL,
        source TEXT NOT NULL,
        is_tcp INTEGER NOT NULL,
        q_thousandths INTEGER NOT NULL,
        registered_at_us INTEGER NOT NULL,
        expires_at_us INTEGER NOT NULL,
        PRIMARY KEY(registrant, place)
      ) WITHOUT ROWID;
    )sql"},
    {2, R"sql(
      ALTER TABLE registrations ADD COLUMN local TEXT NOT NULL DEFAULT '';
      ALTER TABLE registrations ADD COLUMN is_behind_nat INTEGER NOT NULL DEFAULT 0;
    )sql"},
    {3, R"sql(
      ALTER TABLE registrations RENAME COLUMN is_tcp TO transport;
    )sql"},
    {4, R"sql(
      ALTER TABLE registrations ADD COLUMN path TEXT NOT NULL DEFAULT '';
    )sql"},
};

}  // namespace

Result<std::unique_ptr<RegistrationStore>> RegistrationStore::open(const std::string& path) {
  auto connection = store::Connection::open(path);
  if (!connection) return std::move(connection).error();
  if (auto done = store::migrate(*connection, "registrations", steps); !done)
    return std::move(done).error();
  return std::unique_ptr<RegistrationStore>(new RegistrationStore(std::move(*connection)));
}

Result<std::vector<StoredRegistration>> RegistrationStore::load() {
  const std::lock_guard guard(mutex_);
  auto select = connection_.prepare(
      "SELECT registrant, uri, identity, call_id, cseq, product, destination, source, transport, "
      "q_thousandths, registered_at_us, expires_at_us, local, is_behind_nat, path "
      "FROM registrations "
      "ORDER BY registrant, place");
  if (!select) return std::move(select).error();
  std::vector<StoredRegistration> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    const auto destination = SocketAddress::parse(select->text(6));
    const auto source = SocketAddress::parse(select->text(7));
    const std::int64_t transport = select->integer(8);
    const bool is_known = transport >= static_cast<std::int64_t>(SipTransport::udp) &&
                          transport <= static_cast<std::int64_t>(SipTransport::wss);
    if (!destination || !source || !is_known) continue;  // the phone registers again
    if (found.empty() || found.back().id != select->text(0))
      found.push_back({std::string(select->text(0)), {}});
    Contact& one = found.back().contacts.emplace_back();
    one.uri = select->text(1);
    one.identity = select->text(2);
    one.call_id = select->text(3);
    one.cseq = static_cast<std::uint32_t>(select->integer(4));
    one.product = select->text(5);
    one.destination = *destination;
    one.source = *source;
    one.transport = static_cast<SipTransport>(transport);
    one.q_thousandths = static_cast<std::int32_t>(select->integer(9));
    one.registered_at_us = select->integer(10);
    one.expires_at_us = select->integer(11);
    one.local = SocketAddress::parse(select->text(12)).value_or({});  // not known: any that fits
    one.is_behind_nat = select->integer(13) != 0;
    one.path = select->text(14);
  }
}

Result<void> RegistrationStore::write(const std::vector<StoredRegistration>& changes) {
  const std::lock_guard guard(mutex_);
  auto transaction = store::Transaction::begin(connection_);
  if (!transaction) return std::move(transaction).error();
  auto remove = connection_.prepare("DELETE FROM registrations WHERE registrant = ?1");
  if (!remove) return std::move(remove).error();
  auto insert = connection_.prepare(
      "INSERT INTO registrations VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
      "?14, ?15, ?16)");
  if (!insert) return std::move(insert).error();
  for (const StoredRegistration& change : changes) {
    remove->bind(1, change.id);
    if (auto done = remove->run(); !done) return done;
    std::int64_t place = 0;
    for (const Contact& one : change.contacts) {
      insert->bind(1, change.id)
          .bind(2, place++)
          .bind(3, one.uri)
          .bind(4, one.identity)
          .bind(5, one.call_id)
          .bind(6, std::int64_t{one.cseq})
          .bind(7, one.product)
          .bind(8, one.destination.to_string())
          .bind(9, one.source.to_string())
          .bind(10, static_cast<std::int64_t>(one.transport))
          .bind(11, std::int64_t{one.q_thousandths})
          .bind(12, one.registered_at_us)
          .bind(13, one.expires_at_us)
          .bind(14, one.local.port == 0 ? std::string() : one.local.to_string())
          .bind(15, std::int64_t{one.is_behind_nat})
          .bind(16, one.path);
      if (auto done = insert->run(); !done) return done;
    }
  }
  return transaction->commit();
}

}  // namespace tandem::phone
