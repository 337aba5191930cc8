#include "cdr/corrections_sqlite.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

namespace tandem::cdr {
namespace {

constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
constexpr auto highest = std::numeric_limits<std::int64_t>::max();

constexpr const char* correction_columns =
    "id, record_id, ended_at_us, at_us, reason, author, idempotency_key";
constexpr const char* side_columns =
    "side, account, currency, charge_before_units, charge_units, billed_before_s, billed_time_s, "
    "rate_prefix, rate_deck, rate_terms";

Correction read_row(const store::Statement& row) {
  Correction correction;
  correction.id = static_cast<std::uint64_t>(row.integer(0));
  correction.record_id = static_cast<std::uint64_t>(row.integer(1));
  correction.ended_at_us = row.integer(2);
  correction.at_us = row.integer(3);
  correction.reason = row.text(4);
  correction.author = row.text(5);
  correction.idempotency_key = row.text(6);
  return correction;
}

Result<void> read_sides(store::Statement& select, Correction& correction) {
  select.bind(1, static_cast<std::int64_t>(correction.id));
  for (;;) {
    auto row = select.step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    CorrectedSide& side = correction.sides.emplace_back();
    side.side = static_cast<CallSide>(select.integer(0));
    side.account = select.text(1);
    side.currency = select.text(2);
    side.charge_before = Amount::from_units(select.integer(3));
    side.charge = Amount::from_units(select.integer(4));
    side.billed_before_s = select.integer(5);
    side.billed_time_s = select.integer(6);
    side.rate_prefix = select.text(7);
    side.rate_deck = select.text(8);
    side.rate_terms = select.text(9);
  }
  select.reset();
  return {};
}

Result<store::Statement> prepare_sides(store::Connection& connection) {
  return connection.prepare(std::string("SELECT ") + side_columns +
                            " FROM correction_sides WHERE correction = ? ORDER BY side");
}

/// The rows of `select`, each with its sides.
Result<std::vector<Correction>> read_all(store::Connection& connection, store::Statement& select) {
  auto sides = prepare_sides(connection);
  if (!sides) return std::move(sides).error();
  std::vector<Correction> found;
  for (;;) {
    auto row = select.step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back(read_row(select));
    if (auto done = read_sides(*sides, found.back()); !done) return std::move(done).error();
  }
}

}  // namespace

Result<std::optional<store::Connection>> open_corrections(const std::string& path) {
  if (path.empty()) return std::optional<store::Connection>();
  auto connection = store::Connection::open(path, store::OpenMode::read_only);
  if (!connection && connection.error().code == ErrorCode::not_found)
    return std::optional<store::Connection>();
  if (!connection) return std::move(connection).error();
  bool is_there = false;
  {
    auto table = connection->prepare(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'correction_sides'");
    if (!table) return std::move(table).error();
    auto row = table->step();
    if (!row) return std::move(row).error();
    is_there = *row;
  }
  if (!is_there) return std::optional<store::Connection>();
  return std::optional<store::Connection>(std::move(*connection));
}

namespace {

void change(ChargeFacts& facts, const CorrectedSide& side) {
  facts.charge = side.charge;
  facts.billed_time_s = side.billed_time_s;
  facts.rate_prefix = side.rate_prefix;
  facts.rate_deck = side.rate_deck;
  facts.rate_terms = side.rate_terms;
}

}  // namespace

Result<std::vector<Correction>> read_corrections(store::Connection& connection,
                                                 const CorrectionQuery& query) {
  if (query.limit < 1 || query.limit > 1'000'000) {
    return Error{ErrorCode::invalid_argument,
                 "limit " + std::to_string(query.limit) + " was not in 1..1000000"};
  }
  std::string sql = std::string("SELECT ") + correction_columns +
                    " FROM corrections WHERE id < ? AND at_us >= ? AND at_us < ?";
  if (query.record_id != 0) sql += " AND record_id = ?5";
  if (!query.account.empty())
    sql += " AND id IN (SELECT correction FROM correction_sides WHERE account = ?6)";
  auto select = connection.prepare(sql + " ORDER BY id DESC LIMIT ?4");
  if (!select) return std::move(select).error();
  select->bind(1, query.before_id && *query.before_id < static_cast<std::uint64_t>(highest)
                      ? static_cast<std::int64_t>(*query.before_id)
                      : highest);
  select->bind(2, query.since_us.value_or(lowest)).bind(3, query.until_us.value_or(highest));
  select->bind(4, static_cast<std::int64_t>(query.limit));
  if (query.record_id != 0) select->bind(5, static_cast<std::int64_t>(query.record_id));
  if (!query.account.empty()) select->bind(6, query.account);
  return read_all(connection, *select);
}

Result<std::vector<Correction>> stored_corrections(const std::string& database,
                                                   const CorrectionQuery& query) {
  auto connection = store::Connection::open(database, store::OpenMode::read_only);
  if (!connection) return std::move(connection).error();
  return read_corrections(*connection, query);
}

Result<std::optional<Correction>> find_correction(store::Connection& connection,
                                                  std::string_view idempotency_key) {
  auto select = connection.prepare(std::string("SELECT ") + correction_columns +
                                   " FROM corrections WHERE idempotency_key = ?");
  if (!select) return std::move(select).error();
  select->bind(1, idempotency_key);
  auto found = read_all(connection, *select);
  if (!found) return std::move(found).error();
  if (found->empty()) return std::optional<Correction>();
  return std::optional<Correction>(std::move(found->front()));
}

void apply_correction(Cdr& cdr, const Correction& correction) {
  if (!cdr.original) cdr.original = CdrOriginal{cdr.customer, cdr.vendor, cdr.agent, 0, 0, 0, {}};
  if (correction.id <= cdr.original->correction_id) return;
  ++cdr.original->corrections;
  cdr.original->correction_id = correction.id;
  cdr.original->corrected_at_us = correction.at_us;
  cdr.original->reason = correction.reason;
  for (const CorrectedSide& side : correction.sides) {
    if (side.side == CallSide::customer) change(cdr.customer, side);
    if (side.side == CallSide::vendor && cdr.vendor) change(*cdr.vendor, side);
    if (side.side == CallSide::agent && cdr.agent) change(*cdr.agent, side);
  }
}

namespace {

// Records whose numbers lie so close together that what was corrected between them is theirs too.
constexpr std::uint64_t dense_gap = 8;

/// Reads corrections into the records that they are of.
class Merger {
 public:
  /// `where`: which corrections; with `?` for what is bound().
  static Result<Merger> create(store::Connection& connection, const char* where) {
    auto select = connection.prepare(std::string("SELECT ") + correction_columns +
                                     " FROM corrections WHERE record_id " + where +
                                     " ORDER BY record_id, id");
    if (!select) return std::move(select).error();
    auto sides = prepare_sides(connection);
    if (!sides) return std::move(sides).error();
    return Merger(std::move(*select), std::move(*sides));
  }

  [[nodiscard]] store::Statement& bound() noexcept { return select_; }

  /// `place_of(record_id)`: the record; null: none that is wanted.
  template <class PlaceOf>
  Result<void> run(PlaceOf place_of) {
    for (;;) {
      auto row = select_.step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      Correction correction = read_row(select_);
      Cdr* const cdr = place_of(correction.record_id);
      if (cdr == nullptr) continue;
      if (auto done = read_sides(sides_, correction); !done) return done;
      apply_correction(*cdr, correction);
    }
    select_.reset();
    return {};
  }

 private:
  Merger(store::Statement select, store::Statement sides)
      : select_(std::move(select)), sides_(std::move(sides)) {}
  store::Statement select_, sides_;
};

}  // namespace

Result<void> merge_corrections(store::Connection& connection, std::span<Cdr> cdrs) {
  if (cdrs.empty()) return {};
  const auto [first, last] =
      std::minmax_element(cdrs.begin(), cdrs.end(),
                          [](const Cdr& a, const Cdr& b) { return a.record_id < b.record_id; });
  // The last calls of one caller lie far apart: between them may be the corrections of millions.
  if (last->record_id - first->record_id >= cdrs.size() * dense_gap) {
    auto merger = Merger::create(connection, "= ?");
    if (!merger) return std::move(merger).error();
    for (Cdr& cdr : cdrs) {
      merger->bound().bind(1, static_cast<std::int64_t>(cdr.record_id));
      if (auto done = merger->run([&](std::uint64_t) { return &cdr; }); !done) return done;
    }
    return {};
  }
  auto merger = Merger::create(connection, "BETWEEN ? AND ?");
  if (!merger) return std::move(merger).error();
  merger->bound().bind(1, static_cast<std::int64_t>(first->record_id));
  merger->bound().bind(2, static_cast<std::int64_t>(last->record_id));
  std::unordered_map<std::uint64_t, Cdr*> places;  // made with the first correction only
  return merger->run([&](std::uint64_t record_id) -> Cdr* {
    if (places.empty()) {
      for (Cdr& cdr : cdrs)
        places.emplace(cdr.record_id, &cdr);
    }
    const auto place = places.find(record_id);
    return place == places.end() ? nullptr : place->second;
  });
}

Result<std::vector<SideDifference>> corrected_sides(store::Connection& connection,
                                                    std::int64_t since_us, std::int64_t until_us) {
  // Each correction begins with what the one before it ended with, so that differences add up.
  auto select = connection.prepare(
      "SELECT record_id, side, account, sum(charge_units - charge_before_units), "
      "sum(billed_time_s - billed_before_s), max(ended_at_us) FROM corrections "
      "JOIN correction_sides ON correction = corrections.id "
      "WHERE ended_at_us >= ? AND ended_at_us < ? "
      "GROUP BY record_id, side ORDER BY record_id, side");
  if (!select) return std::move(select).error();
  select->bind(1, since_us).bind(2, until_us);
  std::vector<SideDifference> found;
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    found.push_back({static_cast<std::uint64_t>(select->integer(0)),
                     static_cast<CallSide>(select->integer(1)), std::string(select->text(2)),
                     Amount::from_units(select->integer(3)), select->integer(4),
                     select->integer(5)});
  }
}

}  // namespace tandem::cdr
