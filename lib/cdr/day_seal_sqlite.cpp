#include "cdr/day_seal_sqlite.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "base/crc32c.hpp"

namespace tandem::cdr {
namespace {

__extension__ using Wide = __int128;

constexpr const char* seal_schema = R"sql(
  CREATE TABLE IF NOT EXISTS day_seal(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    sealed_at_us INTEGER NOT NULL,
    content TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS day_restored(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    at_us INTEGER NOT NULL
  );
  CREATE TRIGGER IF NOT EXISTS day_unsealed AFTER INSERT ON cdr BEGIN DELETE FROM day_seal; END;
)sql";

Result<bool> has_table(store::Connection& day, std::string_view name) {
  auto select = day.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  if (!select) return std::move(select).error();
  return select->bind(1, name).step();
}

/// Units of an amount in decimals, as Amount has them, but of any size.
std::string decimal(Wide units) {
  constexpr unsigned digits = 8;
  const bool is_negative = units < 0;
  std::string text;
  for (unsigned i = 0; units != 0 || i <= digits; ++i) {
    const auto digit = static_cast<int>(units % 10);
    if (i == digits) text += '.';
    text += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    units /= 10;
  }
  if (is_negative) text += '-';
  text = std::string(text.rbegin(), text.rend());
  while (text.ends_with('0') && text[text.size() - 3] != '.')
    text.pop_back();
  return text;
}

struct Sum {
  Wide charge = 0, vendor_charge = 0, agent_charge = 0;
};

void append_length(std::array<char, 5>& head, std::size_t bytes) {
  head[0] = 1;
  for (unsigned i = 0; i < 4; ++i)
    head[1 + i] = static_cast<char>(bytes >> (8 * i) & 0xFFU);
}

}  // namespace

Result<std::optional<DaySeal>> read_seal(store::Connection& day) {
  auto there = has_table(day, "day_seal");
  if (!there) return std::move(there).error();
  if (!*there) return std::optional<DaySeal>();
  auto select = day.prepare("SELECT sealed_at_us, content FROM day_seal");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row) return std::optional<DaySeal>();
  auto content = content_from_json(select->text(1));
  if (!content) return std::move(content).error();
  return std::optional<DaySeal>({select->integer(0), std::move(*content)});
}

Result<bool> holds_whole_day(store::Connection& day) { return has_table(day, "day_seal"); }

Result<std::int64_t> restored_at_us(store::Connection& day) {
  auto there = has_table(day, "day_restored");
  if (!there) return std::move(there).error();
  if (!*there) return std::int64_t{0};
  auto select = day.prepare("SELECT at_us FROM day_restored");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  return *row ? select->integer(0) : 0;
}

Result<void> write_seal(store::Connection& day, const DaySeal& seal) {
  if (auto made = day.execute(seal_schema); !made) return made;
  auto insert = day.prepare("INSERT OR REPLACE INTO day_seal VALUES(1, ?, ?)");
  if (!insert) return std::move(insert).error();
  return insert->bind(1, seal.sealed_at_us).bind(2, content_to_json(seal.content)).run();
}

Result<void> note_restored(store::Connection& day, std::int64_t at_us) {
  if (auto made = day.execute(seal_schema); !made) return made;
  auto insert = day.prepare("INSERT OR REPLACE INTO day_restored VALUES(1, ?)");
  if (!insert) return std::move(insert).error();
  return insert->bind(1, at_us).run();
}

Result<DayContent> read_content(store::Connection& day, std::int64_t columns, const Spend& spend) {
  std::string listed;
  bool has_agents = false;
  DayContent content;
  {
    auto table = day.prepare("SELECT name FROM pragma_table_info('cdr') ORDER BY cid");
    if (!table) return std::move(table).error();
    for (;;) {
      auto row = table->step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      has_agents = has_agents || table->text(0) == "agent_charge_units";
      if (columns != 0 && content.columns == columns) continue;
      listed.append(", \"").append(table->text(0)).append("\"");
      ++content.columns;
    }
  }
  if (content.columns == 0 || (columns != 0 && content.columns != columns))
    return Error{ErrorCode::corrupt,
                 "a day file had " + std::to_string(content.columns) + " columns of records"};
  constexpr int first_column = 7;
  auto select = day.prepare(
      "SELECT record_id, ended_at_us, currency, charge_units, vendor_currency, "
      "vendor_charge_units, " +
      std::string(has_agents ? "agent_charge_units" : "NULL") + listed +
      " FROM cdr ORDER BY record_id");
  if (!select) return std::move(select).error();
  constexpr std::uint64_t spent_each_bytes = 1U << 18;
  std::uint64_t bytes = 0;
  std::map<std::string, Sum, std::less<>> sums;
  const auto of = [&sums](std::string_view currency) -> Sum& {
    const auto found = sums.find(currency);
    return found != sums.end() ? found->second : sums[std::string(currency)];
  };
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    const std::int64_t record_id = select->integer(0);
    const std::int64_t ended_at_us = select->integer(1);
    if (content.records == 0) {
      content.first_record_id = record_id;
      content.first_ended_at_us = content.last_ended_at_us = ended_at_us;
    }
    ++content.records;
    content.last_record_id = record_id;
    content.first_ended_at_us = std::min(content.first_ended_at_us, ended_at_us);
    content.last_ended_at_us = std::max(content.last_ended_at_us, ended_at_us);
    Sum& of_customer = of(select->text(2));
    of_customer.charge += select->integer(3);
    of_customer.agent_charge += select->integer(6);
    if (!select->is_null(4)) of(select->text(4)).vendor_charge += select->integer(5);
    for (int column = 0; column < content.columns; ++column) {
      std::array<char, 5> head{};
      if (select->is_null(first_column + column)) {
        content.crc = crc32c(head.data(), 1, content.crc);
        ++bytes;
        continue;
      }
      // Numbers as text: a column has one kind of value, so that nothing is mistaken for another.
      const std::string_view value = select->text(first_column + column);
      append_length(head, value.size());
      content.crc = crc32c(head.data(), head.size(), content.crc);
      content.crc = crc32c(value.data(), value.size(), content.crc);
      bytes += head.size() + value.size();
    }
    if (bytes < spent_each_bytes) continue;
    if (auto done = spend(bytes); !done) return std::move(done).error();
    bytes = 0;
  }
  for (const auto& [currency, sum] : sums) {
    content.sums.push_back(
        {currency, decimal(sum.charge), decimal(sum.vendor_charge), decimal(sum.agent_charge)});
  }
  return content;
}

Result<void> check_integrity(store::Connection& day) {
  auto check = day.prepare("PRAGMA integrity_check(1)");
  if (!check) return std::move(check).error();
  auto row = check->step();
  if (!row) return std::move(row).error();
  if (*row && check->text(0) == "ok") return {};
  return Error{ErrorCode::corrupt,
               "the database is damaged: " + std::string(*row ? check->text(0) : "no answer")};
}

}  // namespace tandem::cdr
