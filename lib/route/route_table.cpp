#include "tandem/route_table.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/digits.hpp"
#include "base/large_allocator.hpp"
#include "base/prefix_table.hpp"
#include "route/choice.hpp"
#include "route/prefix_ids.hpp"
#include "tandem/values.hpp"

namespace tandem {
namespace {

constexpr std::size_t name_length_max = 255;
constexpr std::size_t rows_max = 1u << 31;
constexpr std::size_t prefixes_max = PrefixIndex::Builder::prefixes_max;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

/// What ordering reads of every vendor it meets; kept apart from names and lists so that a set of
/// fifty is a few cache lines.
struct VendorFacts {
  std::int32_t line_limit;
  std::uint16_t priority;
  bool locked : 1;
  bool expiration : 1;
  bool restricts_customers : 1;
  bool restricts_numbers : 1;
  bool protect : 1;
};

using CustomerIds = std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>>;

struct Vendor {
  std::string name;
  NumberPolicy numbers;
  bool customers_allowed = false;        // Whether the list below names who may, or who may not.
  std::vector<std::uint32_t> customers;  // Sorted indices of Body::customers.
};

Error invalid(std::string message) {
  return Error{ErrorCode::invalid_argument, std::move(message)};
}

/// Load ratio as R-04 has it: unlimited is 0/1, no lines is 1/0.
struct Load {
  std::uint32_t calls = 0, limit = 1;

  Load(std::uint32_t gateway, std::int32_t line_limit, const LineLoad* load) noexcept {
    if (line_limit == 0) {
      calls = 1;
      limit = 0;
    } else if (line_limit > 0 && load != nullptr) {
      calls = load->current_calls(gateway);
      limit = static_cast<std::uint32_t>(line_limit);
    }
  }
};

/// Load ratio, exact, then sequence.
bool goes_before(const Load& load, std::uint32_t sequence, const RouteCandidate& other) noexcept {
  const std::uint64_t left = std::uint64_t{load.calls} * other.load_limit;
  const std::uint64_t right = std::uint64_t{other.load_calls} * load.limit;
  return left != right ? left < right : sequence < other.sequence;
}

/// Which vendors an answer already has. A clear bit is certain; a set one has to be confirmed in a
/// table of more than `exact_max` vendors.
class Seen {
 public:
  static constexpr std::size_t exact_max = 1024;
  void add(std::uint32_t gateway) noexcept { word(gateway) |= bit(gateway); }
  [[nodiscard]] bool has(std::uint32_t gateway) noexcept {
    return (word(gateway) & bit(gateway)) != 0;
  }

 private:
  std::uint64_t& word(std::uint32_t gateway) noexcept { return bits_[gateway / 64 % bits_.size()]; }
  static std::uint64_t bit(std::uint32_t gateway) noexcept {
    return std::uint64_t{1} << (gateway % 64);
  }
  std::array<std::uint64_t, exact_max / 64> bits_{};
};

bool is_in(std::uint32_t gateway, std::span<const RouteCandidate> answer) noexcept {
  return std::any_of(answer.begin(), answer.end(),
                     [&](const RouteCandidate& c) { return c.gateway == gateway; });
}

/// Recorder of lookup(): nothing is recorded and every use of it compiles to nothing.
struct NoRecorder {
  static constexpr bool records = false;
  void candidate(std::uint32_t) noexcept {}
  void excluded(std::uint32_t, RouteExclusionReason, NumberVerdict) noexcept {}
};

/// Recorder of explain(): the first verdict on a vendor is the one that counts.
struct Recorder {
  static constexpr bool records = true;
  struct Verdict {
    bool is_judged = false;
    bool is_candidate = false;
    RouteExclusionReason reason = RouteExclusionReason::no_prefix_match;
    NumberVerdict number = NumberVerdict::accepted;
  };
  std::vector<Verdict> verdicts;

  void candidate(std::uint32_t gateway) noexcept {
    verdicts[gateway] = {true, true, RouteExclusionReason::no_prefix_match,
                         NumberVerdict::accepted};
  }
  void excluded(std::uint32_t gateway, RouteExclusionReason reason, NumberVerdict number) noexcept {
    if (!verdicts[gateway].is_judged) verdicts[gateway] = {true, false, reason, number};
  }
};

}  // namespace

const char* route_exclusion_reason_name(RouteExclusionReason reason) noexcept {
  switch (reason) {
    case RouteExclusionReason::no_prefix_match:
      return "no_prefix_match";
    case RouteExclusionReason::locked:
      return "locked";
    case RouteExclusionReason::customer_not_allowed:
      return "customer_not_allowed";
    case RouteExclusionReason::number_restricted:
      return "number_restricted";
    case RouteExclusionReason::shorter_prefix_behind_expiration:
      return "shorter_prefix_behind_expiration";
    case RouteExclusionReason::closed:
      return "closed";
  }
  return "unknown";
}

const char* route_policy_name(RoutePolicy policy) noexcept {
  switch (policy) {
    case RoutePolicy::none:
      return "none";
    case RoutePolicy::answer_ratio:
      return "answer_ratio";
    case RoutePolicy::lowest_rate:
      return "lowest_rate";
    case RoutePolicy::talk_time:
      return "talk_time";
  }
  return "unknown";
}

RouteConditions::~RouteConditions() = default;

namespace {

/// Vendors have ranks, by priority and then name. A set of them is a row of these, one for each 64
/// ranks of which it has any, so that one of fifty vendors takes a quarter of a cache line and its
/// best is the lowest bit.
struct RankWord {
  static constexpr std::uint32_t ranks = 64;
  std::uint64_t members;
  std::uint32_t first_rank;
  bool is_last;  ///< Of the set.
  bool operator==(const RankWord&) const = default;
};

/// The words of a set. `ranks` are in order and not none.
void words_of(std::span<const std::uint32_t> ranks, std::vector<RankWord>& set) {
  set.clear();
  for (const std::uint32_t rank : ranks) {
    const std::uint32_t first_rank = rank / RankWord::ranks * RankWord::ranks;
    if (set.empty() || set.back().first_rank != first_rank) set.push_back({0, first_rank, false});
    set.back().members |= std::uint64_t{1} << (rank - first_rank);
  }
  set.back().is_last = true;
}

std::uint64_t hash_of(const RankWord* word) noexcept {
  std::uint64_t hash = 0;
  for (;; ++word) {
    hash = (hash ^ word->first_rank ^ word->members) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29;
    if (word->is_last) return hash;
  }
}

/// What a rank stands for.
struct Ranked {
  std::uint32_t gateway;
  std::uint32_t priority_end;  ///< First rank of the next priority.
};

/// Vendors of a set below some rank, in the order of rank. A forward range of their indices.
class RankedVendors {
 public:
  class Iterator {
   public:
    using value_type = std::uint32_t;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;
    using pointer = const std::uint32_t*;
    using reference = std::uint32_t;

    Iterator() noexcept = default;
    Iterator(const RankWord* word, std::uint64_t left, std::uint32_t rank_end,
             const Ranked* ranked) noexcept
        : word_(word), left_(left), rank_end_(rank_end), ranked_(ranked) {
      settle();
    }
    std::uint32_t operator*() const noexcept { return ranked_[rank_].gateway; }
    Iterator& operator++() noexcept {
      left_ &= left_ - 1;
      settle();
      return *this;
    }
    Iterator operator++(int) noexcept { return std::exchange(*this, std::next(*this)); }
    /// All ends are equal, and no two places of one range have the same rank.
    bool operator==(const Iterator& other) const noexcept { return rank_ == other.rank_; }

    [[nodiscard]] std::uint32_t rank() const noexcept { return rank_; }
    /// The same place in the set, up to another rank.
    [[nodiscard]] Iterator until(std::uint32_t rank_end) const noexcept {
      return {word_, left_, rank_end, ranked_};
    }

   private:
    void settle() noexcept {
      while (left_ == 0 && !word_->is_last)
        left_ = (++word_)->members;
      rank_ = rank_none;
      if (left_ == 0) return;
      const auto rank = word_->first_rank + static_cast<std::uint32_t>(std::countr_zero(left_));
      if (rank < rank_end_) rank_ = rank;
    }

    const RankWord* word_ = nullptr;
    std::uint64_t left_ = 0;  // of the word
    std::uint32_t rank_end_ = 0;
    std::uint32_t rank_ = rank_none;
    const Ranked* ranked_ = nullptr;
  };

  explicit RankedVendors(Iterator begin) noexcept : begin_(begin) {}
  [[nodiscard]] Iterator begin() const noexcept { return begin_; }
  [[nodiscard]] Iterator end() const noexcept { return {}; }
  [[nodiscard]] std::uint32_t front() const noexcept { return *begin_; }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(std::distance(begin_, end()));
  }

  static constexpr std::uint32_t rank_none = std::numeric_limits<std::uint32_t>::max();

 private:
  Iterator begin_;
};

}  // namespace

/// Two steps: the prefix table gives the matching prefixes, longest first, as ids; each id has a
/// set of vendors. Prefixes with equal sets share one: decks repeat the same few combinations for
/// thousands of prefixes, so ten million rows shrink to what differs. A set holds only the vendors
/// of its own prefix; those of shorter ones follow in their own sets, which keeps sets equal more
/// often and lets Expiration stop between them.
struct RouteTable::Body {
  struct Prefix {
    std::uint32_t set;       // Place in `sets` of the first word.
    std::uint32_t rotation;  // First slot of RouteRotation; a slot for each crowded group.
  };
  // A group is what a set has of one priority; it is crowded when that is two or more, so that
  // whose turn it is matters.
  //
  // Values of the prefix table: the id of a prefix; or, where no group is crowded and so no turn is
  // taken, this bit and the place of its set, which saves a look-up the way over `prefix_sets`.
  static constexpr std::uint32_t set_bit = 1u << 27;
  static_assert(prefixes_max <= set_bit &&
                2 * set_bit - 1 <= PrefixTable<std::uint32_t>::value_max);

  std::vector<VendorFacts> facts;
  std::vector<Vendor> vendors;
  std::vector<Ranked> ranked;
  CustomerIds customers;
  PrefixTable<std::uint32_t> prefixes;
  std::vector<Prefix, LargeAllocator<Prefix>> prefix_sets;  // By prefix id.
  route::PrefixTexts texts;                                 // By prefix id.
  std::vector<RankWord, LargeAllocator<RankWord>> sets;
  std::size_t rotation_slots = 0;
  std::size_t rows = 0;
  bool has_protect = false;

  /// What a value of the prefix table stands for.
  [[nodiscard]] Prefix prefix_at(std::uint32_t value) const noexcept {
    if ((value & set_bit) != 0) return {value & ~set_bit, 0};
    return prefix_sets[value];
  }
  [[nodiscard]] RankedVendors members(std::uint32_t set) const noexcept {
    return RankedVendors({&sets[set], sets[set].members, RankedVendors::rank_none, ranked.data()});
  }
  /// Calls `fn(group, slot)` for each group, slot being nothing for one that is not crowded, until
  /// it returns false.
  template <class Function>
  void for_each_group(const Prefix& prefix, Function&& fn) const {
    std::uint32_t slot = prefix.rotation;
    const RankedVendors all = members(prefix.set);
    for (auto next = all.begin(); next != all.end();) {
      const std::uint32_t end = ranked[next.rank()].priority_end;
      const RankedVendors group(next.until(end));
      // Most priorities are of one vendor alone.
      const bool is_crowded = end - next.rank() > 1 && std::next(group.begin()) != group.end();
      if (!fn(group, is_crowded ? std::optional(slot++) : std::optional<std::uint32_t>())) return;
      while (next != all.end() && next.rank() < end)
        ++next;
    }
  }
  [[nodiscard]] std::size_t crowded_groups(std::uint32_t set) const {
    std::size_t crowded = 0;
    for_each_group({set, 0}, [&](const RankedVendors&, std::optional<std::uint32_t> slot) {
      crowded += slot ? 1 : 0;
      return true;
    });
    return crowded;
  }

  /// lookup() and explain(): the short way where the sets are in the order of the answer already,
  /// else the long one.
  template <class Record>
  std::size_t answer(const RouteQuery& query, std::span<RouteCandidate> out, bool takes_turns,
                     Record& record) const {
    if (out.empty() || !is_number(query.called)) return 0;
    if (query.shorter_than != 0 && query.shorter_than <= query.called.size()) {
      RouteQuery cut = query;
      cut.callee = query.listed_callee();
      cut.called = query.called.substr(0, query.shorter_than - 1u);
      return answer_valid(cut, out, takes_turns, record);
    }
    return answer_valid(query, out, takes_turns, record);
  }
  template <class Record>
  std::size_t answer_valid(const RouteQuery& query, std::span<RouteCandidate> out, bool takes_turns,
                           Record& record) const {
    const bool needs_choice = has_protect || query.conditions != nullptr || !query.sort.empty();
    const std::size_t count = needs_choice ? choose(query, out, takes_turns, record)
                                           : order(query, out, takes_turns, record);
    for (std::size_t i = 0; i < count; ++i) {
      out[i].rank = static_cast<std::uint32_t>(i);
      out[i].prefix = query.called.substr(0, out[i].prefix_length);
    }
    return count;
  }
  template <class Record>
  std::size_t order(const RouteQuery& query, std::span<RouteCandidate> out, bool takes_turns,
                    Record& record) const;
  template <class Record>
  std::size_t choose(const RouteQuery& query, std::span<RouteCandidate> out, bool takes_turns,
                     Record& record) const;
  template <class Record, class Show>
  void show_candidates(const RouteQuery& query, Record& record, Show&& show) const;
  [[nodiscard]] bool has_longer_match(std::string_view called, std::uint8_t length,
                                      std::uint32_t gateway) const;
  void take_turns(const RouteQuery& query, std::span<const RouteCandidate> ordered) const;
  void rank_vendors();
  void freeze(const std::vector<std::vector<std::uint32_t>>& vendor_prefixes);
};

namespace {

/// What keeps a vendor out whatever prefix it was found at (R-14, R-09, N-06).
class Eligibility {
 public:
  Eligibility(const RouteQuery& query, const CustomerIds& customers) noexcept
      : query_(query), customers_(customers) {}

  template <class Record>
  bool admits(std::uint32_t gateway, const VendorFacts& facts, const Vendor& vendor,
              Record& record) noexcept {
    if (facts.locked) {
      record.excluded(gateway, RouteExclusionReason::locked, NumberVerdict::accepted);
      return false;
    }
    if (facts.restricts_customers && !may_use(vendor)) {
      record.excluded(gateway, RouteExclusionReason::customer_not_allowed, NumberVerdict::accepted);
      return false;
    }
    if (facts.restricts_numbers) {
      const NumberVerdict verdict = vendor.numbers.judge(query_.calling, query_.listed_callee());
      if (verdict != NumberVerdict::accepted) {
        record.excluded(gateway, RouteExclusionReason::number_restricted, verdict);
        return false;
      }
    }
    return true;
  }

 private:
  /// Who asks is looked up when the first vendor wants to know.
  bool may_use(const Vendor& vendor) noexcept {
    if (customer_ == not_asked) {
      const auto found = customers_.find(query_.customer);
      customer_ = found == customers_.end() ? unlisted : found->second;
    }
    return std::binary_search(vendor.customers.begin(), vendor.customers.end(), customer_) ==
           vendor.customers_allowed;
  }

  static constexpr std::uint32_t unlisted = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t not_asked = unlisted - 1;
  const RouteQuery& query_;
  const CustomerIds& customers_;
  std::uint32_t customer_ = not_asked;
};

}  // namespace

template <class Record>
std::size_t RouteTable::Body::order(const RouteQuery& query, std::span<RouteCandidate> out,
                                    bool takes_turns, Record& record) const {
  std::size_t count = 0;
  bool is_behind_expiration = false;
  Eligibility eligibility(query, customers);
  Seen seen;

  prefixes.for_each_match(query.called, [&](const auto& match) -> bool {
    bool has_expiration = false;
    const std::size_t level = count;
    for_each_group(
        prefix_at(match.value), [&](const RankedVendors& group, std::optional<std::uint32_t> slot) {
          const std::size_t start = count;
          std::atomic<std::uint32_t>* const turn =
              slot && query.rotation != nullptr ? &query.rotation->turns_[*slot] : nullptr;
          const std::uint32_t size = turn ? group.size() : 0;
          const std::uint32_t due = turn ? turn->load(std::memory_order_relaxed) % size : 0;

          std::uint32_t next_position = 0;
          for (const std::uint32_t gateway : group) {
            const std::uint32_t position = next_position++;
            const VendorFacts& vendor = facts[gateway];
            if (!eligibility.admits(gateway, vendor, vendors[gateway], record)) continue;
            if constexpr (Record::records) {
              if (is_behind_expiration) {
                record.excluded(gateway, RouteExclusionReason::shorter_prefix_behind_expiration,
                                NumberVerdict::accepted);
                continue;
              }
            }
            if (level > 0 && seen.has(gateway) && is_in(gateway, out.first(level))) continue;
            has_expiration |= vendor.expiration;

            const Load load(gateway, vendor.line_limit, query.load);
            const std::uint32_t sequence = position >= due ? position - due : position + size - due;

            // Insertion into the group's part of the answer. When the answer is full, the last one
            // gives way to a better one, so that a short answer holds the best.
            std::size_t place = count;
            if (count == out.size()) {
              if (start == count || !goes_before(load, sequence, out[count - 1])) continue;
              place = count - 1;
            } else {
              ++count;
            }
            for (; place > start && goes_before(load, sequence, out[place - 1]); --place) {
              out[place] = out[place - 1];
            }
            RouteCandidate& candidate = out[place] = RouteCandidate();
            candidate.gateway = gateway;
            candidate.prefix_length = match.prefix_length;
            candidate.priority = vendor.priority;
            candidate.sequence = sequence;
            candidate.load_calls = load.calls;
            candidate.load_limit = load.limit;
          }

          if (turn && takes_turns && count > start) {
            turn->store((out[start].sequence + due) % size + 1, std::memory_order_relaxed);
          }
          return count < out.size() || Record::records;
        });
    for (std::size_t i = level; i < count; ++i) {
      seen.add(out[i].gateway);
      record.candidate(out[i].gateway);
    }
    if (has_expiration) is_behind_expiration = true;
    if constexpr (Record::records) return true;
    return count < out.size() && !has_expiration;
  });

  for (RouteCandidate& candidate : out.first(count))
    candidate.gateway_name = vendors[candidate.gateway].name;
  return count;
}

bool RouteTable::Body::has_longer_match(std::string_view called, std::uint8_t length,
                                        std::uint32_t gateway) const {
  bool is_found = false;
  prefixes.for_each_match(called, [&](const auto& match) -> bool {
    if (match.prefix_length <= length) return false;
    const auto set = members(prefix_at(match.value).set);
    is_found = std::find(set.begin(), set.end(), gateway) != set.end();
    return !is_found;
  });
  return is_found;
}

/// Shows every candidate once, with its keys, in no order that matters: R-02 with R-08, where
/// protect vendors are a list of their own behind the others.
template <class Record, class Show>
void RouteTable::Body::show_candidates(const RouteQuery& query, Record& record, Show&& show) const {
  bool is_behind_expiration = false, is_protect_behind_expiration = false;
  Eligibility eligibility(query, customers);
  Seen seen;

  prefixes.for_each_match(query.called, [&](const auto& match) -> bool {
    bool has_expiration = false, has_protect_expiration = false;
    for_each_group(prefix_at(match.value), [&](const RankedVendors& group,
                                               std::optional<std::uint32_t> slot) {
      const bool has_turn = slot && query.rotation != nullptr;
      const std::uint32_t size = has_turn ? group.size() : 0;
      const std::uint32_t due =
          has_turn ? query.rotation->turns_[*slot].load(std::memory_order_relaxed) % size : 0;
      std::uint32_t next_position = 0;
      for (const std::uint32_t gateway : group) {
        const std::uint32_t position = next_position++;
        const VendorFacts& vendor = facts[gateway];
        if (!eligibility.admits(gateway, vendor, vendors[gateway], record)) continue;
        VendorStanding standing;
        standing.priority = vendor.priority;
        standing.line_limit = vendor.line_limit;
        if (query.conditions != nullptr) query.conditions->judge(gateway, query, standing);
        if (standing.excluded) {
          record.excluded(gateway, *standing.excluded, standing.number);
          continue;
        }
        if (vendor.protect ? is_protect_behind_expiration : is_behind_expiration) {
          record.excluded(gateway, RouteExclusionReason::shorter_prefix_behind_expiration,
                          NumberVerdict::accepted);
          continue;
        }
        if (seen.has(gateway) && (vendors.size() <= Seen::exact_max ||
                                  has_longer_match(query.called, match.prefix_length, gateway))) {
          continue;
        }
        seen.add(gateway);
        (vendor.protect ? has_protect_expiration : has_expiration) |= vendor.expiration;

        RouteCandidate candidate;
        candidate.gateway = gateway;
        candidate.gateway_name = vendors[gateway].name;
        candidate.prefix_length = match.prefix_length;
        candidate.priority = standing.priority;
        // Places of two sets say nothing of each other; without turns the name decides for all.
        if (has_turn) candidate.sequence = position >= due ? position - due : position + size - due;
        candidate.is_protect = vendor.protect;
        candidate.compares_price = standing.compares_price;
        if (standing.answer_percent)
          candidate.answer_percent = static_cast<std::int16_t>(*standing.answer_percent);
        if (standing.talk_time_s) candidate.talk_time_s = *standing.talk_time_s;
        candidate.price = standing.price;
        candidate.price_per_s = standing.price_per_s;
        const Load load(gateway, standing.line_limit, query.load);
        candidate.load_calls = load.calls;
        candidate.load_limit = load.limit;
        record.candidate(gateway);
        show(candidate);
      }
      return true;
    });
    is_protect_behind_expiration |= has_protect_expiration || has_expiration;
    is_behind_expiration |= has_expiration;
    return Record::records || !is_behind_expiration;
  });
}

template <class Record>
std::size_t RouteTable::Body::choose(const RouteQuery& query, std::span<RouteCandidate> out,
                                     bool takes_turns, Record& record) const {
  route::Choice choice(query.sort, out);
  show_candidates(query, record, [&](const RouteCandidate& candidate) { choice.note(candidate); });
  if (choice.needs_second_showing()) {
    choice.begin_second_showing();
    NoRecorder none;
    show_candidates(query, none, [&](const RouteCandidate& candidate) { choice.offer(candidate); });
  }
  const std::size_t count = choice.finish();
  if (takes_turns && query.rotation != nullptr) take_turns(query, out.first(count));
  return count;
}

/// The first of each set in an answer that is in order takes the set's turn.
void RouteTable::Body::take_turns(const RouteQuery& query,
                                  std::span<const RouteCandidate> ordered) const {
  prefixes.for_each_match(query.called, [&](const auto& match) -> bool {
    for_each_group(
        prefix_at(match.value), [&](const RankedVendors& group, std::optional<std::uint32_t> slot) {
          if (!slot) return true;
          const auto first =
              std::find_if(ordered.begin(), ordered.end(), [&](const RouteCandidate& candidate) {
                return candidate.prefix_length == match.prefix_length &&
                       facts[candidate.gateway].priority == facts[group.front()].priority;
              });
          if (first == ordered.end()) return true;
          const auto position =
              std::distance(group.begin(), std::find(group.begin(), group.end(), first->gateway));
          query.rotation->turns_[*slot].store(static_cast<std::uint32_t>(position) + 1,
                                              std::memory_order_relaxed);
          return true;
        });
    return true;
  });
}

/// Gives the vendors their ranks.
void RouteTable::Body::rank_vendors() {
  std::vector<std::uint32_t> order(vendors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (facts[a].priority != facts[b].priority) return facts[a].priority < facts[b].priority;
    return vendors[a].name < vendors[b].name;
  });
  ranked.resize(order.size());
  auto end = static_cast<std::uint32_t>(order.size());
  for (auto rank = end; rank-- > 0;) {
    if (rank + 1 < order.size() && facts[order[rank]].priority != facts[order[rank + 1]].priority)
      end = rank + 1;
    ranked[rank] = {order[rank], end};
  }
}

/// Groups the rows by prefix and shares equal sets. Linear in the rows: vendors are visited in the
/// order of rank, so that dealing each row out to its prefix leaves every set sorted.
void RouteTable::Body::freeze(const std::vector<std::vector<std::uint32_t>>& vendor_prefixes) {
  rank_vendors();
  std::vector<std::uint32_t> begin(texts.size() + 1, 0);
  for (const auto& ids : vendor_prefixes) {
    for (std::uint32_t id : ids)
      ++begin[id + 1];
  }
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<std::uint32_t, LargeAllocator<std::uint32_t>> dealt(begin.back());
  std::vector<std::uint32_t> end(begin.begin(), begin.end() - 1);
  for (std::uint32_t rank = 0; rank < ranked.size(); ++rank) {
    const std::vector<std::uint32_t>& ids = vendor_prefixes[ranked[rank].gateway];
    // Prefixes lie in any order, so that each row is dealt to memory that no cache holds, and where
    // that is stands in memory that may not be either: both are asked for some rows ahead.
    constexpr std::size_t rows_ahead = 16;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i + 2 * rows_ahead < ids.size()) {
        __builtin_prefetch(&end[ids[i + 2 * rows_ahead]]);
        __builtin_prefetch(dealt.data() + end[ids[i + rows_ahead]]);
      }
      const std::uint32_t id = ids[i];
      const bool is_repeated = end[id] > begin[id] && dealt[end[id] - 1] == rank;
      if (!is_repeated) dealt[end[id]++] = rank;
    }
  }

  std::vector<std::uint32_t> shared(1024, 0);  // Open addressing; place of a set plus 1, 0: free.
  std::size_t set_count = 0;
  std::vector<RankWord> set;
  PrefixTable<std::uint32_t>::Builder table;
  prefix_sets.reserve(texts.size());
  for (std::uint32_t id = 0; id < texts.size(); ++id) {
    const std::span<const std::uint32_t> ranks(dealt.data() + begin[id], end[id] - begin[id]);
    rows += ranks.size();
    words_of(ranks, set);
    if (set_count * 2 >= shared.size()) {
      std::vector<std::uint32_t> larger(shared.size() * 2, 0);
      for (std::uint32_t entry : shared) {
        if (entry == 0) continue;
        std::size_t at = hash_of(&sets[entry - 1]) & (larger.size() - 1);
        while (larger[at] != 0)
          at = (at + 1) & (larger.size() - 1);
        larger[at] = entry;
      }
      shared = std::move(larger);
    }
    std::size_t at = hash_of(set.data()) & (shared.size() - 1);
    // Words say which is the last, so that one set is never the beginning of another.
    while (shared[at] != 0 && !std::equal(set.begin(), set.end(), sets.begin() + (shared[at] - 1)))
      at = (at + 1) & (shared.size() - 1);
    if (shared[at] == 0) {
      shared[at] = static_cast<std::uint32_t>(sets.size()) + 1;
      sets.insert(sets.end(), set.begin(), set.end());
      ++set_count;
    }
    const std::uint32_t place = shared[at] - 1;
    prefix_sets.push_back({place, static_cast<std::uint32_t>(rotation_slots)});
    const std::size_t turns = crowded_groups(place);
    rotation_slots += turns;
    // Validated and distinct, and no more of them than fit: add() saw to that.
    (void)table.add(texts[id], turns != 0 || place >= set_bit ? id : set_bit | place);
  }
  sets.shrink_to_fit();
  prefixes = table.build();
}

RouteTable::RouteTable() : body_(std::make_shared<const Body>()) {}
RouteTable::RouteTable(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

std::size_t RouteTable::lookup(const RouteQuery& query,
                               std::span<RouteCandidate> out) const noexcept {
  NoRecorder none;
  return body_->answer(query, out, true, none);
}

std::vector<RouteCandidate> RouteTable::lookup(const RouteQuery& query) const {
  std::vector<RouteCandidate> candidates(size());
  candidates.resize(lookup(query, candidates));
  return candidates;
}

RouteExplanation RouteTable::explain(const RouteQuery& query) const {
  RouteExplanation explanation;
  Recorder record;
  record.verdicts.resize(size());
  explanation.candidates.resize(size());
  explanation.candidates.resize(body_->answer(query, explanation.candidates, false, record));
  for (std::uint32_t gateway = 0; gateway < size(); ++gateway) {
    const Recorder::Verdict& verdict = record.verdicts[gateway];
    if (verdict.is_candidate) continue;
    explanation.excluded.push_back(
        {gateway, gateway_name(gateway), verdict.reason, verdict.number});
  }
  return explanation;
}

std::size_t RouteTable::size() const noexcept { return body_->vendors.size(); }
std::size_t RouteTable::prefix_count() const noexcept { return body_->texts.size(); }
std::size_t RouteTable::row_count() const noexcept { return body_->rows; }
std::size_t RouteTable::memory_bytes() const noexcept {
  return body_->prefixes.memory_bytes() + body_->texts.memory_bytes() +
         body_->prefix_sets.capacity() * sizeof(Body::Prefix) +
         body_->sets.capacity() * sizeof(RankWord) + body_->facts.capacity() * sizeof(VendorFacts) +
         body_->ranked.capacity() * sizeof(Ranked);
}
std::string_view RouteTable::gateway_name(std::uint32_t gateway) const noexcept {
  return body_->vendors[gateway].name;
}
int RouteTable::line_limit(std::uint32_t gateway) const noexcept {
  return body_->facts[gateway].line_limit;
}

const NumberPolicy& RouteTable::numbers(std::uint32_t gateway) const noexcept {
  return body_->vendors[gateway].numbers;
}

RouteRotation::RouteRotation(const RouteTable& table) : turns_(table.body_->rotation_slots) {}

RouteRotation::RouteRotation(const RouteTable& table, const RouteTable& previous_table,
                             const RouteRotation& previous)
    : RouteRotation(table) {
  const RouteTable::Body& now = *table.body_;
  const RouteTable::Body& before = *previous_table.body_;
  for (std::uint32_t id = 0; id < now.texts.size(); ++id) {
    const RouteTable::Body::Prefix& prefix = now.prefix_sets[id];
    if (now.crowded_groups(prefix.set) == 0) continue;
    const auto found = before.prefixes.find(now.texts[id]);
    if (!found || found->prefix_length != now.texts[id].size()) continue;

    before.for_each_group(before.prefix_at(found->value), [&](auto old_group, auto old_slot) {
      const std::uint32_t turn =
          old_slot ? previous.turns_[*old_slot].load(std::memory_order_relaxed) : 0;
      if (turn == 0) return true;
      const std::string& last = before.vendors[*std::next(old_group.begin(), turn - 1)].name;
      const std::uint16_t priority = before.facts[old_group.front()].priority;
      now.for_each_group(prefix, [&](auto group, auto slot) {
        if (!slot || now.facts[group.front()].priority != priority) return true;
        // Due is the first name after the one that went last, also when that one is gone.
        const auto next = std::find_if(group.begin(), group.end(), [&](std::uint32_t gateway) {
          return now.vendors[gateway].name > last;
        });
        turns_[*slot].store(static_cast<std::uint32_t>(std::distance(group.begin(), next)),
                            std::memory_order_relaxed);
        return false;
      });
      return true;
    });
  }
}

struct RouteTable::Builder::Draft {
  std::unique_ptr<Body> body = std::make_unique<Body>();
  std::unordered_set<std::string> names;
  route::PrefixIds ids;
  std::vector<std::vector<std::uint32_t>> vendor_prefixes;
  std::size_t rows = 0;
};

RouteTable::Builder::Builder() : draft_(std::make_unique<Draft>()) {}
RouteTable::Builder::~Builder() = default;
RouteTable::Builder::Builder(Builder&&) noexcept = default;
RouteTable::Builder& RouteTable::Builder::operator=(Builder&&) noexcept = default;

Result<void> RouteTable::Builder::add(VendorRoute vendor) {
  const auto of_gateway = [&] { return " of gateway \"" + vendor.gateway + "\""; };
  if (vendor.gateway.empty() || vendor.gateway.size() > name_length_max) {
    return invalid("gateway name \"" + vendor.gateway + "\" was not 1..255 bytes long");
  }
  if (vendor.priority < 0 || vendor.priority > 65535) {
    return invalid("priority " + std::to_string(vendor.priority) + of_gateway() +
                   " was not between 0 and 65535");
  }
  if (vendor.line_limit < -1) {
    return invalid("line limit " + std::to_string(vendor.line_limit) + of_gateway() +
                   " was below -1");
  }
  if (!vendor.allow_customers.empty() && !vendor.deny_customers.empty()) {
    return invalid("customers" + of_gateway() + " were both allowed and denied by lists");
  }
  auto numbers = NumberPolicy::build(vendor.numbers);
  if (!numbers) {
    return Error{numbers.error().code, "numbers" + of_gateway() + ": " + numbers.error().message};
  }
  for (const std::string& prefix : vendor.prefixes) {
    const bool is_digits = code_of_digits(prefix).has_value();  // faster, and true of nearly all
    if (!is_digits && !is_number(prefix)) {
      return invalid("prefix \"" + prefix + "\"" + of_gateway() +
                     " was not 0..32 characters of 0-9 A-Z a-z + * # _");
    }
  }
  if (vendor.prefixes.empty()) vendor.prefixes.emplace_back();
  Draft& draft = *draft_;
  if (vendor.prefixes.size() > rows_max - draft.rows) {
    return Error{ErrorCode::limit,
                 "prefixes" + of_gateway() + " made the table larger than 2147483648 rows"};
  }
  if (vendor.prefixes.size() > prefixes_max - std::min(prefixes_max, draft.ids.size())) {
    return Error{ErrorCode::limit, "prefixes" + of_gateway() +
                                       " could make the table larger than 100000000 prefixes"};
  }
  if (!draft.names.insert(vendor.gateway).second) {
    return Error{ErrorCode::already_exists, "gateway \"" + vendor.gateway + "\" was added before"};
  }

  draft.rows += vendor.prefixes.size();
  draft.vendor_prefixes.push_back(draft.ids.ids_of(vendor.prefixes));

  Body& body = *draft.body;
  VendorFacts facts{};
  facts.line_limit = vendor.line_limit;
  facts.priority = static_cast<std::uint16_t>(vendor.priority);
  facts.locked = vendor.locked;
  facts.expiration = vendor.prefix_mode == PrefixMode::expiration;
  facts.restricts_customers = !vendor.allow_customers.empty() || !vendor.deny_customers.empty();
  facts.restricts_numbers = !numbers->accepts_everything();
  facts.protect = vendor.protect;
  body.has_protect |= vendor.protect;
  body.facts.push_back(facts);

  Vendor cold;
  cold.name = std::move(vendor.gateway);
  cold.numbers = std::move(*numbers);
  cold.customers_allowed = !vendor.allow_customers.empty();
  for (const auto* list : {&vendor.allow_customers, &vendor.deny_customers}) {
    for (const std::string& customer : *list) {
      const auto next = static_cast<std::uint32_t>(body.customers.size());
      cold.customers.push_back(body.customers.try_emplace(customer, next).first->second);
    }
  }
  std::sort(cold.customers.begin(), cold.customers.end());
  body.vendors.push_back(std::move(cold));
  return {};
}

RouteTable RouteTable::Builder::build() {
  std::unique_ptr<Draft> draft = std::exchange(draft_, std::make_unique<Draft>());
  draft->body->texts = draft->ids.take_texts();
  draft->body->freeze(draft->vendor_prefixes);
  return RouteTable(std::shared_ptr<const Body>(std::move(draft->body)));
}

}  // namespace tandem
