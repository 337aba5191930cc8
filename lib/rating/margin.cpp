#include "tandem/margin.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/csv.hpp"

namespace tandem {
namespace {

__extension__ using Wide = __int128;

/// Exact: `price` of `per_s` seconds against another.
bool is_less(const SteadyPrice& a, const SteadyPrice& b) noexcept {
  return static_cast<Wide>(a.price.units()) * b.per_s <
         static_cast<Wide>(b.price.units()) * a.per_s;
}

/// Of 60 seconds; a price beyond what an amount can be is shown as the largest one.
Amount per_minute(const SteadyPrice& price) noexcept {
  const Wide twice = static_cast<Wide>(price.price.units()) * 120 / price.per_s;
  return Amount::from_units(static_cast<std::int64_t>(std::min<Wide>((twice + 1) / 2, INT64_MAX)));
}

std::optional<SteadyPrice> price_at(const RateDeck& deck, std::string_view prefix,
                                    std::int64_t at_us, std::string* area) {
  const RateMatch match = deck.find(prefix, at_us);
  if (!match.ok()) return std::nullopt;
  if (area != nullptr && area->empty()) *area = match.rate->area;
  return steady_price(*match.rate, {at_us, deck.schedule()});
}

/// nothing: the sale brings nothing, so that there is no share of it.
std::optional<std::int64_t> margin_of(const SteadyPrice& sell, const SteadyPrice& buy) noexcept {
  if (sell.price.is_zero()) return std::nullopt;
  const Wide sells = static_cast<Wide>(sell.price.units()) * buy.per_s;
  const Wide buys = static_cast<Wide>(buy.price.units()) * sell.per_s;
  constexpr Wide bound = INT64_MAX;
  // Prices up to 2^63 and periods up to 1e8 leave room for the factor in 127 bits.
  return static_cast<std::int64_t>(
      std::clamp<Wide>((sells - buys) * 10'000 / sells, -bound, bound));
}

std::string percent_text(std::int64_t hundredths) {
  const std::int64_t positive = hundredths < 0 ? -hundredths : hundredths;
  std::string text = hundredths < 0 ? "-" : "";
  text += std::to_string(positive / 100) + '.';
  return text + (positive % 100 < 10 ? "0" : "") + std::to_string(positive % 100);
}

using Cells = std::array<std::string, 7>;

constexpr std::array<std::string_view, 7> names = {
    "prefix", "area", "sell", "best_buy", "best_deck", "average_buy", "margin_percent"};

Cells cells_of(const MarginRow& row) {
  const auto text = [](const std::optional<Amount>& amount) {
    return amount ? amount->to_string() : std::string();
  };
  return {row.prefix,
          row.area,
          row.sell.to_string(),
          text(row.best_buy),
          row.best_deck,
          text(row.average_buy),
          row.margin_hundredths ? percent_text(*row.margin_hundredths) : std::string()};
}

/// Losses, then sales with a margin, then those without one.
int rank(const MarginRow& row) noexcept {
  if (row.is_loss) return 0;
  return row.best_buy ? 1 : 2;
}

}  // namespace

Result<std::vector<MarginRow>> margin_report(const RateDeck& sell, std::span<const RateDeck> buys,
                                             std::int64_t at_us) {
  std::set<std::string_view> prefixes;
  const auto add = [&prefixes](const RateDeck& deck) {
    for (std::size_t i = 0; i < deck.size(); ++i)
      prefixes.insert(deck.at(i).prefix);
  };
  add(sell);
  for (const RateDeck& buy : buys) {
    if (buy.currency() != sell.currency()) {
      return Error{ErrorCode::invalid_argument, "deck \"" + buy.id() + "\" is in " +
                                                    buy.currency() + ", \"" + sell.id() + "\" in " +
                                                    sell.currency()};
    }
    add(buy);
  }
  std::vector<MarginRow> rows;
  for (const std::string_view prefix : prefixes) {
    MarginRow row;
    row.prefix = prefix;
    const auto sold = price_at(sell, prefix, at_us, &row.area);
    if (!sold) continue;
    row.sell = per_minute(*sold);
    std::optional<SteadyPrice> best;
    Wide sum = 0;
    std::int64_t count = 0;
    for (const RateDeck& buy : buys) {
      const auto bought = price_at(buy, prefix, at_us, &row.area);
      if (!bought) continue;
      sum += per_minute(*bought).units();
      ++count;
      if (best && !is_less(*bought, *best)) continue;
      best = bought;
      row.best_deck = buy.id();
    }
    if (best) {
      row.best_buy = per_minute(*best);
      row.average_buy = Amount::from_units(static_cast<std::int64_t>((sum + count / 2) / count));
      row.is_loss = is_less(*sold, *best);
      row.margin_hundredths = margin_of(*sold, *best);
    }
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const MarginRow& a, const MarginRow& b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    // A loss without a margin is one of a sale for nothing: there is no worse.
    return a.margin_hundredths.value_or(INT64_MIN) < b.margin_hundredths.value_or(INT64_MIN);
  });
  return rows;
}

std::string to_csv(const std::vector<MarginRow>& rows) {
  std::string text;
  for (const std::string_view name : names)
    text.append(text.empty() ? "" : ",").append(name);
  text += '\n';
  for (const MarginRow& row : rows) {
    const Cells cells = cells_of(row);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) text += ',';
      append_csv_cell(text, cells[i]);
    }
    text += '\n';
  }
  return text;
}

std::string to_table(const std::vector<MarginRow>& rows) {
  std::vector<Cells> lines(1);
  std::copy(names.begin(), names.end(), lines[0].begin());
  for (const MarginRow& row : rows)
    lines.push_back(cells_of(row));
  std::array<std::size_t, names.size()> widths{};
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Cells& line : lines) {
    const std::size_t start = text.size();
    for (std::size_t i = 0; i < line.size(); ++i) {
      text.append(i > 0 ? 2 : 0, ' ');
      const bool is_text = i < 2 || i == 4;
      const std::size_t gap = widths[i] - line[i].size();
      if (!is_text) text.append(gap, ' ');
      for (const char c : line[i])  // a control character would move the cursor
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
      if (is_text) text.append(gap, ' ');
    }
    text.resize(std::max(start, text.find_last_not_of(' ') + 1));
    text += '\n';
  }
  return text;
}

}  // namespace tandem
