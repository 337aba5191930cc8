#include "rating/deck_image.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/crc32c.hpp"
#include "base/csv.hpp"
#include "rating/rate_keys.hpp"
#include "tandem/version.h"

// Layout of an image. All numbers have their lowest byte first.
//
// Head, 160 bytes:
//     0  "TANDECK\n"
//     8  form of the image (u32)
//    12  CRC-32C of everything behind (u32)
//    16  bytes of the image (u64)
//    24  rates, sections, terms (u64 each)
//    48  bytes of the terms, of the areas, of the prefixes (u64 each)
//    72  the release that wrote it, and zeros (24 bytes)
//    96  digest of the rates' CSV form (64 characters)
// Rates, 72 bytes each, in the order of the deck: see Row.
// Sections, 16 bytes each: price, seconds.
// Terms, one after the other: see Terms.
// Texts of areas. Rates with the same area share one.
// Prefixes, one after the other in the order of the rates.
//
// A reader takes nothing that the writer would not have written: it refuses an offset outside of
// its part, a field that check_rate() refuses, rates out of order, bytes that are left. What the
// check value says is that the bytes are those that were written; that they were right is known
// by whoever compared them with the deck before they got their name.

namespace tandem::rating {
namespace {

constexpr std::string_view magic = "TANDECK\n";
// Another one for each change of the layout, and of what CSV columns mean.
constexpr std::uint32_t form = 1;
constexpr std::size_t checked_from = 16;
constexpr std::size_t release_bytes = 24;
constexpr std::size_t digest_bytes = 64;
constexpr std::size_t head_bytes = 160;
constexpr std::size_t row_bytes = 72;
constexpr std::size_t section_bytes = 16;
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
constexpr std::string_view release = TANDEM_VERSION_STRING;
static_assert(release.size() < release_bytes);

template <class Int>
Int swapped(Int value) noexcept {
  if constexpr (std::endian::native == std::endian::little || sizeof(Int) == 1) {
    return value;
  } else if constexpr (sizeof(Int) == 4) {
    return static_cast<Int>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else {
    return static_cast<Int>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  }
}

/// Writes numbers behind each other.
class Bytes {
 public:
  template <class Int>
  Bytes& add(Int value) {
    value = swapped(value);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    text_.append(bytes, sizeof value);
    return *this;
  }
  Bytes& add_amount(Amount amount) { return add(amount.units()); }
  Bytes& add_text(std::string_view text) {
    text_ += text;
    return *this;
  }
  [[nodiscard]] std::string& text() noexcept { return text_; }

 private:
  std::string text_;
};

/// Reads what Bytes wrote; from the end on zeros, and is_good() says so.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : left_(bytes) {}
  template <class Int>
  Int take() noexcept {
    Int value{};
    if (left_.size() < sizeof value) {
      left_ = {};
      is_good_ = false;
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return swapped(value);
  }
  Amount take_amount() noexcept { return Amount::from_units(take<std::int64_t>()); }
  /// A byte that is 0 or 1.
  bool take_flag() noexcept {
    const auto flag = take<std::uint8_t>();
    is_good_ = is_good_ && flag <= 1;
    return flag == 1;
  }
  /// REQUIRES: no more than is left.
  std::string_view take_text(std::size_t bytes) noexcept {
    const std::string_view text = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return text;
  }
  [[nodiscard]] std::size_t left() const noexcept { return left_.size(); }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }

 private:
  std::string_view left_;
  bool is_good_ = true;
};

Error corrupt(std::string what) {
  return {ErrorCode::corrupt, "image of a rate deck " + std::move(what)};
}

struct Counts {
  std::uint64_t rates = 0;
  std::uint64_t sections = 0;
  std::uint64_t terms = 0;
  std::uint64_t terms_bytes = 0;
  std::uint64_t area_bytes = 0;
  std::uint64_t prefix_bytes = 0;
};

// --- terms ---

void add_tiers(Bytes& out, const std::vector<RateTier>& tiers) {
  out.add(static_cast<std::uint8_t>(tiers.size()));
  for (const auto& [from_s, price, per_s, next_s] : tiers)
    out.add(from_s).add_amount(price).add(per_s).add(next_s);
}

void add_optional(Bytes& out, const std::optional<Amount>& amount) {
  out.add(static_cast<std::uint8_t>(amount ? 1 : 0));
  if (amount) out.add_amount(*amount);
}

void add_terms(Bytes& out, const RateTerms& terms) {
  // Named one by one, so that a new member does not compile until it has its place here.
  const auto& [tiers, windows, grace_s, free_s, maximum, tax_percent] = terms;
  add_tiers(out, tiers);
  out.add(static_cast<std::uint8_t>(windows.size()));
  for (const RateWindow& window : windows) {
    const auto& [days, from_s, to_s, price, per_s, first_s, next_s, connection_fee, window_tiers] =
        window;
    const auto& [weekdays, classes] = days;
    out.add(weekdays).add(classes).add(from_s).add(to_s);
    add_optional(out, price);
    out.add(per_s).add(first_s).add(next_s);
    add_optional(out, connection_fee);
    add_tiers(out, window_tiers);
  }
  out.add(grace_s).add(free_s).add_amount(maximum);
  add_optional(out, tax_percent);
}

std::vector<RateTier> take_tiers(Reader& in) {
  std::vector<RateTier> tiers(in.take<std::uint8_t>());
  for (RateTier& tier : tiers) {
    tier.from_s = in.take<std::int64_t>();
    tier.price = in.take_amount();
    tier.per_s = in.take<std::int32_t>();
    tier.next_s = in.take<std::int32_t>();
  }
  return tiers;
}

std::optional<Amount> take_optional(Reader& in) {
  if (!in.take_flag()) return std::nullopt;
  return in.take_amount();
}

RateTerms take_terms(Reader& in) {
  RateTerms terms;
  terms.tiers = take_tiers(in);
  terms.windows.resize(in.take<std::uint8_t>());
  for (RateWindow& window : terms.windows) {
    window.days.weekdays = in.take<std::uint8_t>();
    window.days.classes = in.take<std::uint8_t>();
    window.from_s = in.take<std::int32_t>();
    window.to_s = in.take<std::int32_t>();
    window.price = take_optional(in);
    window.per_s = in.take<std::int32_t>();
    window.first_s = in.take<std::int32_t>();
    window.next_s = in.take<std::int32_t>();
    window.connection_fee = take_optional(in);
    window.tiers = take_tiers(in);
  }
  terms.grace_s = in.take<std::int64_t>();
  terms.free_s = in.take<std::int64_t>();
  terms.maximum = in.take_amount();
  terms.tax_percent = take_optional(in);
  return terms;
}

// --- writing ---

/// What rates share, and where.
class Pools {
 public:
  /// Of the rates in their order. Errors: limit, invalid_argument.
  Result<void> add(const Rate& rate) {
    if (rate.area.size() > 128 || !is_utf8(rate.area))
      return Error{ErrorCode::invalid_argument,
                   "area of prefix \"" + rate.prefix + "\" was not UTF-8 of at most 128 bytes"};
    counts.prefix_bytes += rate.prefix.size();
    ++counts.rates;
    counts.sections += rate.sections.size();
    if (const auto [place, is_new] = area_at_.try_emplace(rate.area, areas.size()); is_new)
      areas += rate.area;
    // Decks have the same windows in row after row: neighbours share them.
    if (rate.terms && (last_terms_ == nullptr || rate.terms != last_terms_->terms)) {
      last_terms_ = &rate;
      add_terms(terms, *rate.terms);
      ++counts.terms;
    }
    counts.area_bytes = areas.size();
    counts.terms_bytes = terms.text().size();
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    if (counts.area_bytes > most || counts.sections > most)
      return Error{ErrorCode::limit,
                   "image of a rate deck had more than 4294967295 sections or "
                   "bytes of areas"};
    return {};
  }
  [[nodiscard]] std::uint32_t area_at(std::string_view area) const {
    return static_cast<std::uint32_t>(area_at_.at(area));
  }

  Counts counts;
  std::string areas;
  Bytes terms;

 private:
  std::unordered_map<std::string_view, std::size_t> area_at_;  // of the rates' own texts
  const Rate* last_terms_ = nullptr;
};

/// Gives bytes to the sink in large pieces, and knows their check value.
class Output {
 public:
  explicit Output(const ImageSink& sink) noexcept : sink_(sink) { piece_.text().reserve(room); }

  Bytes& piece() noexcept { return piece_; }
  Result<void> flush_when_full() {
    return piece_.text().size() < piece_bytes ? Result<void>{} : flush();
  }
  Result<void> flush() {
    const std::string& bytes = piece_.text();
    if (auto done = sink_(offset_, bytes); !done) return done;
    crc_ = crc32c(bytes.data(), bytes.size(), crc_);
    offset_ += bytes.size();
    piece_.text().clear();
    return {};
  }
  /// Of what came behind the first bytes, which are not checked.
  [[nodiscard]] std::uint32_t crc() const noexcept { return crc_; }
  void begin_at(std::uint64_t offset) noexcept { offset_ = offset; }

 private:
  static constexpr std::size_t room = piece_bytes + 4096;
  const ImageSink& sink_;
  Bytes piece_;
  std::uint64_t offset_ = 0;
  std::uint32_t crc_ = 0;
};

/// A row of the image.
void add_row(Bytes& out, const Rate& rate, std::uint32_t area, std::uint32_t first_section,
             std::uint32_t terms_plus_one) {
  const auto& [price, connection_fee, minimum, per_s, first_s, next_s, locked, call_level, terms,
               sections, valid_from_us, valid_until_us, prefix, area_text] = rate;
  out.add_amount(price).add_amount(connection_fee).add_amount(minimum);
  out.add(valid_from_us).add(valid_until_us);
  out.add(per_s).add(first_s).add(next_s);
  out.add(area).add(first_section).add(terms ? terms_plus_one : 0);
  out.add(static_cast<std::uint8_t>(prefix.size()));
  out.add(static_cast<std::uint8_t>(area_text.size()));
  out.add(static_cast<std::uint8_t>(sections.size()));
  out.add(static_cast<std::uint8_t>(locked ? 1 : 0));
  out.add(static_cast<std::uint8_t>(call_level));
  out.add(std::uint8_t{0}).add(std::uint8_t{0}).add(std::uint8_t{0});
}

std::uint64_t size_of(const Counts& counts) noexcept {
  return head_bytes + counts.rates * row_bytes + counts.sections * section_bytes +
         counts.terms_bytes + counts.area_bytes + counts.prefix_bytes;
}

}  // namespace

Result<void> write_deck_image(const RateDeck& deck, std::string_view digest,
                              const ImageSink& sink) {
  if (digest.size() != digest_bytes)
    return Error{
        ErrorCode::invalid_argument,
        "digest of a rate deck had " + std::to_string(digest.size()) + " characters and not 64"};
  Pools pools;
  for (std::size_t i = 0; i < deck.size(); ++i) {
    if (auto added = pools.add(deck.at(i)); !added) return added;
  }
  const Counts& counts = pools.counts;

  Output out(sink);
  out.begin_at(checked_from);
  out.piece().add(size_of(counts)).add(counts.rates).add(counts.sections).add(counts.terms);
  out.piece().add(counts.terms_bytes).add(counts.area_bytes).add(counts.prefix_bytes);
  out.piece().add_text(release).add_text(std::string(release_bytes - release.size(), '\0'));
  out.piece().add_text(digest);
  std::uint32_t sections = 0;
  std::uint32_t terms = 0;
  const RareTerms* last_terms = nullptr;
  for (std::size_t i = 0; i < deck.size(); ++i) {
    const Rate& rate = deck.at(i);
    if (rate.terms && (last_terms == nullptr || rate.terms != *last_terms)) {
      last_terms = &rate.terms;
      ++terms;
    }
    add_row(out.piece(), rate, pools.area_at(rate.area), sections, terms);
    sections += static_cast<std::uint32_t>(rate.sections.size());
    if (auto done = out.flush_when_full(); !done) return done;
  }
  for (std::size_t i = 0; i < deck.size(); ++i) {
    for (const auto& [price, seconds] : deck.at(i).sections)
      out.piece().add_amount(price).add(seconds);
    if (auto done = out.flush_when_full(); !done) return done;
  }
  for (const std::string_view pool :
       {std::string_view(pools.terms.text()), std::string_view(pools.areas)}) {
    for (std::size_t at = 0; at < pool.size(); at += piece_bytes) {
      out.piece().add_text(pool.substr(at, piece_bytes));
      if (auto done = out.flush_when_full(); !done) return done;
    }
  }
  for (std::size_t i = 0; i < deck.size(); ++i) {
    out.piece().add_text(deck.at(i).prefix);
    if (auto done = out.flush_when_full(); !done) return done;
  }
  if (auto done = out.flush(); !done) return done;
  Bytes beginning;
  beginning.add_text(magic).add(form).add(out.crc());
  return sink(0, beginning.text());
}

// --- reading ---

namespace {

/// An image that is whole, in parts.
struct Parts {
  Counts counts;
  std::string_view rows, sections, terms, areas, prefixes;
};

Result<Parts> parts_of(std::string_view image, std::string_view digest) {
  if (image.size() < head_bytes) return corrupt("had " + std::to_string(image.size()) + " bytes");
  Reader head(image.substr(0, head_bytes));
  if (head.take_text(magic.size()) != magic) return corrupt("did not begin as one");
  if (const auto other = head.take<std::uint32_t>(); other != form)
    return Error{ErrorCode::unsupported,
                 "image of a rate deck had the form " + std::to_string(other)};
  const auto crc = head.take<std::uint32_t>();
  if (crc32c(image.data() + checked_from, image.size() - checked_from) != crc)
    return corrupt("did not have its check value");
  const auto size = head.take<std::uint64_t>();
  Parts parts;
  Counts& counts = parts.counts;
  for (std::uint64_t* count : {&counts.rates, &counts.sections, &counts.terms, &counts.terms_bytes,
                               &counts.area_bytes, &counts.prefix_bytes}) {
    *count = head.take<std::uint64_t>();
    if (*count > image.size()) return corrupt("had a part larger than itself");
  }
  std::string known(release);
  known.resize(release_bytes);
  if (head.take_text(release_bytes) != known)
    return Error{ErrorCode::unsupported, "image of a rate deck was of another release"};
  if (head.take_text(digest_bytes) != digest) return corrupt("was one of other rates");
  // No count is above the image's size here, so that no sum of these is out of range.
  if (size != image.size() || size_of(counts) != size) return corrupt("had parts of other sizes");
  if (counts.rates > RateDeck::rates_max) return corrupt("had too many rates");
  Reader body(image.substr(head_bytes));
  parts.rows = body.take_text(counts.rates * row_bytes);
  parts.sections = body.take_text(counts.sections * section_bytes);
  parts.terms = body.take_text(counts.terms_bytes);
  parts.areas = body.take_text(counts.area_bytes);
  parts.prefixes = body.take_text(counts.prefix_bytes);
  return parts;
}

bool is_ascii(std::string_view text) noexcept {
  unsigned char all = 0;
  for (const char c : text)
    all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

/// Makes rates of rows, and takes care that they use each part from its beginning to its end.
class RowReader {
 public:
  explicit RowReader(const Parts& parts) noexcept
      : parts_(parts),
        rows_(parts.rows),
        sections_(parts.sections),
        prefixes_(parts.prefixes),
        has_ascii_areas_(is_ascii(parts.areas)) {}

  /// Errors: corrupt.
  Result<void> read_terms() {
    Reader in(parts_.terms);
    for (std::uint64_t i = 0; i < parts_.counts.terms; ++i) {
      RateTerms terms = take_terms(in);
      if (!in.is_good()) return corrupt("had wrong terms");
      terms_.emplace_back(std::move(terms));
      if (!terms_.back()) return corrupt("had terms that say nothing");
    }
    return in.left() == 0 ? Result<void>{} : corrupt("had bytes behind its terms");
  }

  /// The next rate, which nobody has checked yet. Nothing: its offsets were wrong.
  std::optional<Rate> next() {
    Rate rate;
    rate.price = rows_.take_amount();
    rate.connection_fee = rows_.take_amount();
    rate.minimum = rows_.take_amount();
    rate.valid_from_us = rows_.take<std::int64_t>();
    rate.valid_until_us = rows_.take<std::int64_t>();
    rate.per_s = rows_.take<std::int32_t>();
    rate.first_s = rows_.take<std::int32_t>();
    rate.next_s = rows_.take<std::int32_t>();
    const auto area = rows_.take<std::uint32_t>();
    const auto first_section = rows_.take<std::uint32_t>();
    const auto terms_plus_one = rows_.take<std::uint32_t>();
    const std::size_t prefix_bytes = rows_.take<std::uint8_t>();
    const std::size_t area_bytes = rows_.take<std::uint8_t>();
    const std::size_t sections = rows_.take<std::uint8_t>();
    rate.locked = rows_.take_flag();
    rate.call_level = static_cast<CallLevel>(rows_.take<std::uint8_t>());
    std::uint8_t unused = 0;
    for (int i = 0; i < 3; ++i)
      unused |= rows_.take<std::uint8_t>();
    if (!rows_.is_good() || unused != 0) return std::nullopt;
    if (prefix_bytes > prefixes_.left() || first_section != next_section_ ||
        sections > sections_.left() / section_bytes)
      return std::nullopt;
    if (area > parts_.areas.size() || area_bytes > parts_.areas.size() - area) return std::nullopt;
    prefix_ = prefixes_.take_text(prefix_bytes);
    rate.prefix = prefix_;
    rate.area = parts_.areas.substr(area, area_bytes);
    if (!has_ascii_areas_ && !is_utf8(rate.area)) return std::nullopt;
    next_section_ += static_cast<std::uint32_t>(sections);
    rate.sections.resize(sections);
    for (auto& [price, seconds] : rate.sections) {
      price = sections_.take_amount();
      seconds = sections_.take<std::int64_t>();
    }
    if (terms_plus_one == 0) return rate;
    // The same as the rate before with terms, or the next ones.
    if (terms_plus_one > terms_.size() ||
        (terms_plus_one != used_terms_ && terms_plus_one != used_terms_ + 1))
      return std::nullopt;
    used_terms_ = terms_plus_one;
    rate.terms = terms_[terms_plus_one - 1];
    return rate;
  }

  /// Of the last one, in the image.
  [[nodiscard]] std::string_view prefix() const noexcept { return prefix_; }
  [[nodiscard]] bool is_at_end() const noexcept {
    return rows_.left() == 0 && sections_.left() == 0 && prefixes_.left() == 0 &&
           used_terms_ == terms_.size();
  }

 private:
  const Parts& parts_;
  Reader rows_, sections_, prefixes_;
  const bool has_ascii_areas_;  // then each of them is UTF-8
  std::string_view prefix_;
  std::vector<RareTerms> terms_;
  std::uint32_t next_section_ = 0;
  std::uint32_t used_terms_ = 0;
};

}  // namespace

Result<RateDeck> read_deck_image(std::string_view image, std::string_view digest, std::string id,
                                 std::string currency) {
  const auto parts = parts_of(image, digest);
  if (!parts) return parts.error();
  RowReader rows(*parts);
  if (auto read = rows.read_terms(); !read) return std::move(read).error();
  RateDeck::Builder builder(std::move(id), std::move(currency));
  builder.reserve(static_cast<std::size_t>(parts->counts.rates));
  std::string_view last_prefix;
  std::int64_t last_valid_from_us = -1;  // before that of any rate
  for (std::uint64_t i = 0; i < parts->counts.rates; ++i) {
    auto rate = rows.next();
    if (!rate) return corrupt("had a wrong offset in row " + std::to_string(i));
    const int order = last_prefix.compare(rows.prefix());
    if (order > 0 || (order == 0 && last_valid_from_us >= rate->valid_from_us))
      return corrupt("had row " + std::to_string(i) + " out of order");
    last_prefix = rows.prefix();
    last_valid_from_us = rate->valid_from_us;
    if (auto added = builder.add(std::move(*rate)); !added)
      return corrupt("had a wrong row " + std::to_string(i) + ": " + added.error().message);
  }
  if (!rows.is_at_end()) return corrupt("had parts that no row uses");
  return builder.build();
}

bool have_equal_rates(const RateDeck& a, const RateDeck& b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a.at(i) != b.at(i)) return false;
  }
  return true;
}

}  // namespace tandem::rating
