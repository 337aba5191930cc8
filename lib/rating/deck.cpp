#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/large_allocator.hpp"
#include "base/prefix_table.hpp"
#include "rating/rate_keys.hpp"
#include "tandem/rating.hpp"

namespace tandem {
namespace {

// Marks the value of a prefix that has one rate and that rate is valid for ever: nearly all of
// them. Else the value is the index of the prefix's latest rate, its earlier ones lie before it.
constexpr std::uint32_t always_valid_bit = 1u << 27;
static_assert(RateDeck::rates_max < always_valid_bit &&
              2 * always_valid_bit - 1 <= PrefixTable<std::uint32_t>::value_max);

// What has no sections is rated from one cache line: up to the vector's first word (see
// has_sections()).
static_assert(offsetof(Rate, sections) + sizeof(void*) <= 64);

bool is_always_valid(const Rate& rate) noexcept {
  return rate.valid_from_us == 0 && rate.valid_until_us == 0;
}

bool is_valid(const Rate& rate, std::int64_t at_us) noexcept {
  return at_us >= rate.valid_from_us && (rate.valid_until_us == 0 || at_us < rate.valid_until_us);
}

RateMatch judged(const Rate& rate, CallLevel level) noexcept {
  if (rate.locked) return {Reason::RateLocked, &rate};
  if (level != CallLevel::none && level < rate.call_level) return {Reason::NoCallPermission, &rate};
  return {Reason::none, &rate};
}

const std::string no_text;

}  // namespace

struct RateDeck::Body {
  using Rates = std::vector<Rate, LargeAllocator<Rate>>;

  std::string id;
  std::string currency;
  Rates rates;  // by prefix, then valid_from_us, once frozen
  using Index = PrefixTable<std::uint32_t>;
  Index index;
  rating::RateKeys keys;  // empty once frozen

  [[nodiscard]] RateMatch valid_rate(const Index::Match& longest,
                                     const RateQuestion& question) const noexcept;
};

/// The rate that is valid, of the longest prefix or of a shorter one.
RateMatch RateDeck::Body::valid_rate(const Index::Match& longest,
                                     const RateQuestion& question) const noexcept {
  if ((longest.value & always_valid_bit) != 0)
    return judged(rates[longest.value & ~always_valid_bit], question.level);
  RateMatch match;
  index.for_each_match(question.callee, [&](const Index::Match& prefix) -> bool {
    std::size_t at = prefix.value & ~always_valid_bit;
    const std::size_t latest = at;
    do {
      if (is_valid(rates[at], question.at_us)) {
        match = judged(rates[at], question.level);
        return false;
      }
    } while (at-- > 0 && rates[at].prefix == rates[latest].prefix);
    return true;
  });
  return match;
}

RateDeck::RateDeck(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

RateMatch RateDeck::find(std::string_view callee, std::int64_t at_us,
                         CallLevel level) const noexcept {
  if (!body_) return {};
  const auto longest = body_->index.find(callee);
  return longest ? body_->valid_rate(*longest, {callee, at_us, level}) : RateMatch{};
}

void RateDeck::find_each(std::span<const RateQuestion> questions,
                         std::span<RateMatch> matches) const noexcept {
  if (!body_) {
    std::fill(matches.begin(), matches.end(), RateMatch{});
    return;
  }
  constexpr std::size_t at_once = 32;
  std::array<std::string_view, at_once> callees;
  std::array<std::optional<Body::Index::Match>, at_once> longest;
  for (std::size_t first = 0; first < questions.size(); first += at_once) {
    const auto part = questions.subspan(first, std::min(at_once, questions.size() - first));
    for (std::size_t i = 0; i < part.size(); ++i)
      callees[i] = part[i].callee;
    body_->index.find_each(std::span(callees).first(part.size()),
                           [&](std::size_t i, const std::optional<Body::Index::Match>& match) {
                             longest[i] = match;
                             if (match)
                               __builtin_prefetch(&body_->rates[match->value & ~always_valid_bit]);
                           });
    for (std::size_t i = 0; i < part.size(); ++i)
      matches[first + i] = longest[i] ? body_->valid_rate(*longest[i], part[i]) : RateMatch{};
  }
}

RateDeck RateDeck::with_schedule(RateSchedule schedule) const {
  RateDeck deck = *this;
  deck.schedule_ = std::move(schedule);
  return deck;
}

const std::string& RateDeck::id() const noexcept { return body_ ? body_->id : no_text; }
const std::string& RateDeck::currency() const noexcept { return body_ ? body_->currency : no_text; }
std::size_t RateDeck::size() const noexcept { return body_ ? body_->rates.size() : 0; }
const Rate& RateDeck::at(std::size_t index) const noexcept { return body_->rates[index]; }

RateDeck::Builder::Builder(std::string id, std::string currency) : body_(std::make_unique<Body>()) {
  body_->id = std::move(id);
  body_->currency = std::move(currency);
}
RateDeck::Builder::~Builder() = default;
RateDeck::Builder::Builder(Builder&&) noexcept = default;
RateDeck::Builder& RateDeck::Builder::operator=(Builder&&) noexcept = default;

void RateDeck::Builder::reserve(std::size_t rates) {
  body_->rates.reserve(std::min(rates, rates_max));
}

Result<void> RateDeck::Builder::add(Rate rate) {
  if (auto checked = check_rate(rate); !checked) return checked;
  if (body_->rates.size() >= rates_max)
    return Error{ErrorCode::limit, "rate deck \"" + body_->id + "\" was full with " +
                                       std::to_string(rates_max) + " rates"};
  if (body_->keys.note(body_->rates, rate))
    return Error{ErrorCode::already_exists, "prefix \"" + rate.prefix + "\" was in rate deck \"" +
                                                body_->id + "\" before with the same valid_from"};
  // Decks have the same windows in row after row: neighbours share them.
  if (rate.terms && !body_->rates.empty() && rate.terms == body_->rates.back().terms)
    rate.terms = body_->rates.back().terms;
  body_->rates.push_back(std::move(rate));
  return {};
}

Result<RateDeck> RateDeck::Builder::build() {
  auto body = std::make_shared<Body>(std::move(*body_));
  *body_ = Body{};
  body_->id = body->id;
  body_->currency = body->currency;
  Body::Rates& rates = body->rates;
  // What was exported or stored is in order.
  if (!body->keys.came_in_order()) std::sort(rates.begin(), rates.end(), rating::comes_before);
  body->keys = {};
  rates.shrink_to_fit();
  for (Rate& rate : rates)
    rate.sections.shrink_to_fit();  // see has_sections()
  Body::Index::Builder index;
  for (std::size_t first = 0, last = 0; first < rates.size(); first = last + 1) {
    last = first;
    while (last + 1 < rates.size() && rates[last + 1].prefix == rates[first].prefix)
      ++last;
    auto value = static_cast<std::uint32_t>(last);
    if (first == last && is_always_valid(rates[last])) value |= always_valid_bit;
    if (auto added = index.add(rates[first].prefix, value); !added) return std::move(added).error();
  }
  body->index = index.build();
  return RateDeck(std::move(body));
}

Result<FreeNumbers> FreeNumbers::from_list(const std::vector<std::string>& entries) {
  if (entries.size() > numbers_max)
    return Error{ErrorCode::limit, "list of " + std::to_string(entries.size()) +
                                       " free numbers was longer than " +
                                       std::to_string(numbers_max)};
  FreeNumbers numbers;
  std::vector<std::string> prefixes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::string entry = entries[i];
    const bool is_prefix = !entry.empty() && entry.back() == '*';
    if (is_prefix) entry.pop_back();
    if (!is_number(entry) && !(is_prefix && entry.empty())) {
      return Error{ErrorCode::invalid_argument,
                   "free number " + std::to_string(i + 1) +
                       " of the list was neither a number nor a number with *"};
    }
    (is_prefix ? prefixes : numbers.exact_).push_back(std::move(entry));
  }
  std::sort(numbers.exact_.begin(), numbers.exact_.end());
  numbers.exact_.erase(std::unique(numbers.exact_.begin(), numbers.exact_.end()),
                       numbers.exact_.end());
  std::sort(prefixes.begin(), prefixes.end());
  for (std::string& prefix :
       prefixes) {  // in order, so that a prefix comes before those that start with it
    if (numbers.prefixes_.empty() || !prefix.starts_with(numbers.prefixes_.back()))
      numbers.prefixes_.push_back(std::move(prefix));
  }
  return numbers;
}

Result<FreeNumbers> FreeNumbers::from_text(std::string_view text) {
  std::vector<std::string> entries;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view entry = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    while (!entry.empty() && entry.front() == ' ')
      entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ')
      entry.remove_suffix(1);
    if (!entry.empty()) entries.emplace_back(entry);
    if (entries.size() > numbers_max) break;  // from_list() says so
  }
  return from_list(entries);
}

bool FreeNumbers::contains(std::string_view number) const noexcept {
  if (std::binary_search(exact_.begin(), exact_.end(), number)) return true;
  const auto after = std::upper_bound(prefixes_.begin(), prefixes_.end(), number);
  return after != prefixes_.begin() && number.starts_with(*std::prev(after));
}

Result<RatedCall> rate_number(const RateDeck& deck, std::string_view callee,
                              std::int64_t talk_time_ms, std::int64_t at_us, const FeeRules& rules,
                              const FreeNumbers& free_numbers) {
  if (!is_number(callee))
    return Error{ErrorCode::invalid_argument, "callee was not a number of 1..32 characters"};
  RatedCall call;
  call.currency = deck.currency();
  const RateMatch match = deck.find(callee, at_us);
  if (match.rate) call.rate_prefix = match.rate->prefix;
  if (free_numbers.contains(callee)) {
    ChargeStep step;
    step.kind = ChargeStep::Kind::free_number;
    call.steps.push_back(step);
    return call;
  }
  if (match.reason == Reason::RateLocked)
    return Error{ErrorCode::wrong_state, "rate of prefix \"" + call.rate_prefix + "\" was locked"};
  if (!match.ok())
    return Error{ErrorCode::not_found,
                 "rate deck \"" + deck.id() + "\" had no rate for " + std::string(callee)};
  auto charge = rate_call(*match.rate, talk_time_ms, rules, &call.steps, {at_us, deck.schedule()});
  if (!charge) return std::move(charge).error();
  call.charge = *charge;
  return call;
}

}  // namespace tandem
