#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "cdr/record_scan_sqlite.hpp"
#include "tandem/cdr_columns.hpp"

namespace tandem {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

/// A column in the making.
struct Column {
  std::string name;
  std::size_t place = 0;
  bool is_text = false;
  std::vector<std::int64_t> integers{};
  std::vector<std::int32_t> codes{};
  std::vector<std::string> texts{};
  std::vector<std::uint8_t> nulls{};  // empty until there is one

  void add_null(std::size_t row) {
    nulls.resize(row);
    nulls.push_back(1);
    if (is_text) {
      codes.push_back(-1);
    } else {
      integers.push_back(0);
    }
  }
};

/// Places of texts. They are dropped when the columns are complete.
using Places = std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>>;

constexpr std::size_t text_overhead_bytes = 128;  // of a text and its place, about

}  // namespace

struct CdrColumns::Body {
  std::vector<Column> columns;
  std::size_t rows = 0;

  [[nodiscard]] const Column* find(std::string_view name) const {
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [name](const Column& each) { return each.name == name; });
    return found == columns.end() ? nullptr : &*found;
  }
};

const std::vector<std::string_view>& cdr_column_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const cdr::RecordColumn& column : cdr::record_columns) {
      if (column.name != "legs") all.push_back(column.name);  // what reports want of the attempts
    }
    return all;
  }();
  return names;
}

CdrColumns::CdrColumns(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

namespace {

Result<Column> column_named(const std::string& name) {
  const auto& names = cdr_column_names();
  if (std::find(names.begin(), names.end(), name) == names.end())
    return Error{ErrorCode::invalid_argument, "no column \"" + name + "\" is known"};
  Column column;
  column.name = name;
  while (cdr::record_columns[column.place].name != name)
    ++column.place;
  column.is_text = cdr::record_columns[column.place].kind == cdr::ColumnKind::text;
  return column;
}

}  // namespace

Result<CdrColumns> CdrColumns::read(const CdrPlace& place, const CdrColumnsRequest& request,
                                    const CdrGuards& guards, const Clock* clock) {
  auto body = std::make_shared<Body>();
  cdr::ScanWish wish;
  wish.filter = request.filter;
  wish.order = cdr::ScanOrder::oldest_first;
  if (request.columns.empty()) return Error{ErrorCode::invalid_argument, "no column was asked for"};
  for (const std::string& name : request.columns) {
    if (body->find(name) != nullptr)
      return Error{ErrorCode::invalid_argument, "column \"" + name + "\" was asked for twice"};
    auto column = column_named(name);
    if (!column) return std::move(column).error();
    wish.columns.push_back(column->place);
    body->columns.push_back(std::move(*column));
  }
  auto scan = cdr::RecordScan::open(place, std::move(wish), guards, clock);
  if (!scan) return std::move(scan).error();
  std::vector<Places> places(body->columns.size());
  std::size_t bytes = 0;
  const auto add_text = [&](Column& column, Places& known, std::string_view text) {
    auto found = known.find(text);
    if (found == known.end()) {
      bytes += 2 * text.size() + text_overhead_bytes;
      found = known.emplace(text, static_cast<std::int32_t>(column.texts.size())).first;
      column.texts.emplace_back(text);
    }
    column.codes.push_back(found->second);
  };
  const auto too_large = [&request] {
    return Error{ErrorCode::limit, "columns were larger than " + std::to_string(request.bytes_max) +
                                       " bytes; narrow the period, the filter or the columns"};
  };
  constexpr auto rows_max = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  for (;; ++body->rows) {
    auto more = (*scan)->next();
    if (!more) return std::move(more).error();
    if (!*more) break;
    if (body->rows == rows_max) return too_large();  // codes have no more places
    for (std::size_t i = 0; i < body->columns.size(); ++i) {
      Column& column = body->columns[i];
      bytes += column.is_text ? sizeof(std::int32_t) : sizeof(std::int64_t);
      if (!column.nulls.empty()) ++bytes;
      if ((*scan)->is_null(i)) {
        if (column.nulls.empty()) bytes += body->rows + 1;
        column.add_null(body->rows);
      } else if (column.is_text) {
        add_text(column, places[i], (*scan)->text(i));
      } else {
        column.integers.push_back((*scan)->integer(i));
      }
    }
    if (bytes > request.bytes_max) return too_large();
  }
  for (Column& column : body->columns) {
    if (!column.nulls.empty()) column.nulls.resize(body->rows);
  }
  return CdrColumns(std::move(body));
}

std::size_t CdrColumns::rows() const noexcept { return body_->rows; }

std::optional<std::span<const std::int64_t>> CdrColumns::integers(std::string_view column) const {
  const Column* const found = body_->find(column);
  if (found == nullptr || found->is_text) return std::nullopt;
  return std::span<const std::int64_t>(found->integers);
}

std::optional<std::span<const std::int32_t>> CdrColumns::codes(std::string_view column) const {
  const Column* const found = body_->find(column);
  if (found == nullptr || !found->is_text) return std::nullopt;
  return std::span<const std::int32_t>(found->codes);
}

const std::vector<std::string>& CdrColumns::texts(std::string_view column) const {
  static const std::vector<std::string> none;
  const Column* const found = body_->find(column);
  return found == nullptr ? none : found->texts;
}

std::span<const std::uint8_t> CdrColumns::nulls(std::string_view column) const {
  const Column* const found = body_->find(column);
  return found == nullptr ? std::span<const std::uint8_t>()
                          : std::span<const std::uint8_t>(found->nulls);
}

}  // namespace tandem
