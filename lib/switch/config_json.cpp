// The configuration file: one table per object says which keys it has, how each is read, and what
// the reference tells of it.
#include <fstream>
#include <set>
#include <sstream>
#include <type_traits>
#include <unordered_map>

#include "base/calendar.hpp"
#include "base/text.hpp"
#include "base/time_zone.hpp"
#include "switch/config_check.hpp"
#include "switch/config_reader_json.hpp"
#include "switch/provision_kinds_json.hpp"
#include "switch/resolve.hpp"
#include "tandem/config.hpp"
#include "tandem/rewrite.hpp"

namespace tandem {

using config::Field;
using config::Json;
using config::read_object;
using config::Reader;

namespace {

constexpr std::int64_t int32_max = 2147483647;
constexpr std::size_t config_bytes_max = std::size_t{256} << 20;

// --- values ---

void read_memo(Reader& r, const Json& v) {
  std::string ignored;
  r.string(v, ignored, 4096);
}

void read_id(Reader& r, const Json& v, std::string& id) {
  if (!r.string(v, id, 64)) return;
  bool good = !id.empty();
  for (unsigned char c : id)
    good = good && c > 0x20 && c != 0x7f && c != '"' && c != ',' && c != '|';
  if (!good)
    r.fail("\"" + id + "\" is no id: 1..64 characters without blanks, quotes, commas and bars");
}

void read_media_mode(Reader& r, const Json& v, MediaMode& mode) {
  r.choice<MediaMode>(v,
                      {{"auto", MediaMode::auto_mode},
                       {"on", MediaMode::on},
                       {"off", MediaMode::off},
                       {"must_on", MediaMode::must_on}},
                      mode);
}

void read_rtp_interrupt(Reader& r, const Json& v, RtpInterrupt& interrupt) {
  r.choice<RtpInterrupt>(v,
                         {{"none", RtpInterrupt::none},
                          {"to_remote", RtpInterrupt::to_remote},
                          {"from_remote", RtpInterrupt::from_remote},
                          {"both", RtpInterrupt::both}},
                         interrupt);
}

void read_call_level(Reader& r, const Json& v, CallLevel& level) {
  r.choice<CallLevel>(v,
                      {{"internal", CallLevel::internal},
                       {"local", CallLevel::local},
                       {"domestic", CallLevel::domestic},
                       {"international", CallLevel::international}},
                      level);
}

void read_rewrite(Reader& r, const Json& v, std::string& rules) {
  std::string text;
  if (!r.string(v, text, 16384)) return;
  if (auto compiled = RewriteRules::compile(text); !compiled) {
    r.fail(compiled.error().message);
    return;
  }
  rules = std::move(text);
}

void read_currency(Reader& r, const Json& v, std::string& currency) {
  std::string text;
  if (!r.string(v, text, 8)) return;
  bool good = text.size() >= 3;
  for (char c : text)
    good = good && c >= 'A' && c <= 'Z';
  if (!good) {
    r.fail("\"" + text + "\" is no currency code such as \"USD\"");
    return;
  }
  currency = std::move(text);
}

void read_lengths(Reader& r, const Json& v, std::vector<int>& lengths) {
  r.each(v, [&](const Json& item) {
    std::int64_t length = 0;
    if (r.integer(item, 0, 32, length)) lengths.push_back(static_cast<int>(length));
  });
}

void read_prefixes(Reader& r, const Json& v, std::vector<std::string>& prefixes) {
  std::vector<std::string> read;
  if (!r.strings(v, read)) return;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (!read[i].empty() && !is_number(read[i])) {
      Reader::Step step(r, i);
      r.fail("\"" + read[i] + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
    }
  }
  prefixes = std::move(read);
}

bool is_none(const Json& v) { return v.is_string() && (v == "None" || v == "none"); }

void read_timezone(Reader& r, const Json& v, std::string& zone) {
  std::string text;
  if (!r.string(v, text, 64)) return;
  if (r.looks_outside()) {
    if (auto loaded = TimeZone::load(text); !loaded) {
      r.fail(loaded.error().message);
      return;
    }
  }
  zone = std::move(text);
}

void read_day_class(Reader& r, const Json& v, DayClass& kind) {
  r.choice<DayClass>(
      v, {{"work", DayClass::work}, {"rest", DayClass::rest}, {"holiday", DayClass::holiday}},
      kind);
}

/// "18:00", "18:00:30", "24:00", or seconds since midnight.
void read_time_of_day(Reader& r, const Json& v, std::int32_t& out_s) {
  if (!v.is_string()) {
    r.number(v, 0, 86400, out_s);
    return;
  }
  std::string text;
  if (!r.string(v, text, 8)) return;
  const auto read = parse_time_of_day(text);
  if (read) {
    out_s = *read;
  } else {
    r.fail(read.error().message);
  }
}

/// A percentage with at most two decimals, as a whole number or a decimal in quotes.
void read_percent(Reader& r, const Json& v, std::optional<std::int32_t>& hundredths) {
  constexpr std::int64_t limit = 10'000;
  constexpr std::int64_t units = Amount::scale / 100;
  Amount percent;
  std::int64_t whole = 0;
  if (!v.is_string()) {
    if (!r.integer(v, -limit, limit, whole)) return;
    percent = Amount::from_units(whole * Amount::scale);
  } else if (!r.amount(v, percent)) {
    return;
  }
  if (percent.units() % units != 0 || percent.units() > limit * Amount::scale ||
      percent.units() < -limit * Amount::scale) {
    r.fail(percent.to_string() + " is no percentage in -10000..10000 with at most two decimals");
    return;
  }
  hundredths = static_cast<std::int32_t>(percent.units() / units);
}

void read_price(Reader& r, const Json& v, std::optional<Amount>& out) {
  Amount price;
  if (!r.amount(v, price)) return;
  if (price.is_negative()) {
    r.fail("price " + price.to_string() + " is negative");
    return;
  }
  out = price;
}

template <class Int, std::int64_t Low, std::int64_t High>
void read_optional(Reader& r, const Json& v, std::optional<Int>& out) {
  std::int64_t number = 0;
  if (r.integer(v, Low, High, number)) out = static_cast<Int>(number);
}

// --- rates ---

const std::vector<Field<RateSection>>& section_fields() {
  static const std::vector<Field<RateSection>> fields = {
      {"price", "decimal", "required", "Price of the section (B-05).",
       [](Reader& r, const Json& v, RateSection& s) { r.amount(v, s.price); }},
      {"seconds", "integer 0..86400", "required", "Length; 0 makes it a connection fee.",
       [](Reader& r, const Json& v, RateSection& s) { r.number(v, 0, 86400, s.seconds); }},
  };
  return fields;
}

void read_days(Reader& r, const Json& v, DaySet& out) {
  std::vector<std::string> words;
  if (!r.strings(v, words)) return;
  auto days = DaySet::parse(words);
  if (!days) {
    r.fail(days.error().message);
    return;
  }
  out = *days;
}

/// Where a window or a period begins.
void read_first_time_of_day(Reader& r, const Json& v, std::int32_t& out_s) {
  read_time_of_day(r, v, out_s);
  if (out_s == 86400) r.fail("nothing can begin at \"24:00\"");
}

void read_tax(Reader& r, const Json& v, Amount& out) {
  Amount percent;
  if (!r.amount(v, percent)) return;
  if (percent.is_negative() || percent > tax_percent_max ||
      percent.units() % (Amount::scale / 10'000) != 0) {
    r.fail(percent.to_string() + " is no tax in 0..1000 percent with at most 4 decimals");
    return;
  }
  out = percent;
}

const std::vector<Field<RateTier>>& tier_fields() {
  static const std::vector<Field<RateTier>> fields = {
      {"from_s", "integer 1..86400", "required",
       "Second of the paid time from which increments have this price.",
       [](Reader& r, const Json& v, RateTier& t) { r.number(v, 1, 86400, t.from_s); }},
      {"price", "decimal >= 0", "required", "Price of `per_s` seconds.",
       [](Reader& r, const Json& v, RateTier& t) { r.amount(v, t.price); }},
      {"per_s", "integer 1..86400", "the rate's", "Seconds that `price` buys.",
       [](Reader& r, const Json& v, RateTier& t) { r.number(v, 1, 86400, t.per_s); }},
      {"next_s", "integer 1..86400", "the rate's", "Billing increment.",
       [](Reader& r, const Json& v, RateTier& t) { r.number(v, 1, 86400, t.next_s); }},
  };
  return fields;
}

void read_tiers(Reader& r, const Json& v, std::vector<RateTier>& tiers) {
  r.each(v, [&](const Json& item) {
    RateTier tier;
    read_object(r, item, tier_fields(), {"from_s", "price"}, tier);
    tiers.push_back(tier);
  });
}

const std::vector<Field<RateWindow>>& window_fields() {
  using W = RateWindow;
  static const std::vector<Field<W>> fields = {
      {"days", "mon..sun, ranges, work, rest, holiday, any", "any",
       "Days on which the window begins, as comma text or a list (B-24).",
       [](Reader& r, const Json& v, W& w) { read_days(r, v, w.days); }},
      {"from", "time of day", "\"00:00\"", "Local time from which it holds.",
       [](Reader& r, const Json& v, W& w) { read_first_time_of_day(r, v, w.from_s); }},
      {"to", "time of day", "\"24:00\"",
       "Up to this; before `from`: of the next day. `from` and `to` differ.",
       [](Reader& r, const Json& v, W& w) { read_time_of_day(r, v, w.to_s); }},
      {"price", "decimal >= 0", "the rate's", "Price of `per_s` seconds.",
       [](Reader& r, const Json& v, W& w) { read_price(r, v, w.price); }},
      {"per_s", "integer 1..86400", "the rate's", "Seconds that `price` buys.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 1, 86400, w.per_s); }},
      {"first_s", "integer 1..86400", "the rate's", "First billing increment.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 1, 86400, w.first_s); }},
      {"next_s", "integer 1..86400", "the rate's", "Further billing increments.",
       [](Reader& r, const Json& v, W& w) { r.number(v, 1, 86400, w.next_s); }},
      {"connection_fee", "decimal >= 0", "the rate's", "For calls that begin in it.",
       [](Reader& r, const Json& v, W& w) { read_price(r, v, w.connection_fee); }},
      {"tiers", "array", "the rate's, none when it has a price", "As of a rate.",
       [](Reader& r, const Json& v, W& w) { read_tiers(r, v, w.tiers); }},
  };
  return fields;
}

/// A rate in the making: its rare terms are collected beside it.
struct RateConfig {
  Rate rate;
  RateTerms terms;
};

const std::vector<Field<RateConfig>>& rate_fields() {
  static const std::vector<Field<RateConfig>> fields = {
      {"prefix", "text", "required",
       "Leading digits of the callee; \"\" matches every number (B-05).",
       [](Reader& r, const Json& v, RateConfig& c) {
         if (r.string(v, c.rate.prefix) && !c.rate.prefix.empty() && !is_number(c.rate.prefix)) {
           r.fail("\"" + c.rate.prefix + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
         }
       }},
      {"area", "text", "\"\"", "Name of the destination.",
       [](Reader& r, const Json& v, RateConfig& c) { r.string(v, c.rate.area); }},
      {"price", "decimal >= 0", "\"0\"", "Price of `per_s` seconds.",
       [](Reader& r, const Json& v, RateConfig& c) { r.amount(v, c.rate.price); }},
      {"per_s", "integer 1..86400", "60", "Seconds that `price` buys.",
       [](Reader& r, const Json& v, RateConfig& c) { r.number(v, 1, 86400, c.rate.per_s); }},
      {"first_s", "integer 1..86400", "1", "First billing increment (B-06).",
       [](Reader& r, const Json& v, RateConfig& c) { r.number(v, 1, 86400, c.rate.first_s); }},
      {"next_s", "integer 1..86400", "1", "Further billing increments.",
       [](Reader& r, const Json& v, RateConfig& c) { r.number(v, 1, 86400, c.rate.next_s); }},
      {"connection_fee", "decimal >= 0", "\"0\"", "Once, when the call has billed seconds.",
       [](Reader& r, const Json& v, RateConfig& c) { r.amount(v, c.rate.connection_fee); }},
      {"minimum", "decimal >= 0", "\"0\"",
       "Least charge of a call with billed seconds, connection fee included.",
       [](Reader& r, const Json& v, RateConfig& c) { r.amount(v, c.rate.minimum); }},
      {"locked", "boolean", "false", "Calls to this prefix are refused, `RateLocked`.",
       [](Reader& r, const Json& v, RateConfig& c) { r.boolean(v, c.rate.locked); }},
      {"call_level", "internal|local|domestic|international", "none",
       "Level a caller needs (N-07).",
       [](Reader& r, const Json& v, RateConfig& c) { read_call_level(r, v, c.rate.call_level); }},
      {"valid_from", "time", "always", "The rate holds for calls that start from here on.",
       [](Reader& r, const Json& v, RateConfig& c) { r.time(v, c.rate.valid_from_us); }},
      {"valid_until", "time", "always", "And before this.",
       [](Reader& r, const Json& v, RateConfig& c) { r.time(v, c.rate.valid_until_us); }},
      {"sections", "array", "[]",
       "Price sections used once, in order, before the steady cycle (B-06).",
       [](Reader& r, const Json& v, RateConfig& c) {
         r.each(v, [&](const Json& item) {
           RateSection section;
           read_object(r, item, section_fields(), {"price", "seconds"}, section);
           c.rate.sections.push_back(section);
         });
       }},
      {"tiers", "array", "[]", "Other prices from some second of the call on.",
       [](Reader& r, const Json& v, RateConfig& c) { read_tiers(r, v, c.terms.tiers); }},
      {"windows", "array", "[]", "Other prices on some hours of some days (B-24).",
       [](Reader& r, const Json& v, RateConfig& c) {
         r.each(v, [&](const Json& item) {
           RateWindow window;
           read_object(r, item, window_fields(), {}, window);
           c.terms.windows.push_back(std::move(window));
         });
       }},
      {"grace_s", "integer 0..86400", "0", "A call of at most so many seconds costs nothing.",
       [](Reader& r, const Json& v, RateConfig& c) { r.number(v, 0, 86400, c.terms.grace_s); }},
      {"free_s", "integer 0..86400", "0", "Seconds of every call that are not charged.",
       [](Reader& r, const Json& v, RateConfig& c) { r.number(v, 0, 86400, c.terms.free_s); }},
      {"maximum", "decimal >= 0", "\"0\"", "Most that a call costs before tax; 0: no bound.",
       [](Reader& r, const Json& v, RateConfig& c) { r.amount(v, c.terms.maximum); }},
      {"tax_percent", "decimal 0..1000", "the account's", "On top of the sum, before the rounding.",
       [](Reader& r, const Json& v, RateConfig& c) {
         read_tax(r, v, c.terms.tax_percent.emplace());
       }},
      {"memo", "text", "\"\"", "Yours.",
       [](Reader& r, const Json& v, RateConfig&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<RateDeckConfig>>& deck_fields() {
  static const std::vector<Field<RateDeckConfig>> fields = {
      {"id", "id", "required", "Name of the deck.",
       [](Reader& r, const Json& v, RateDeckConfig& deck) { read_id(r, v, deck.id); }},
      {"currency", "code", "\"USD\"", "Currency of its prices.",
       [](Reader& r, const Json& v, RateDeckConfig& deck) { read_currency(r, v, deck.currency); }},
      {"rates", "array", "[]", "Rates, see below.",
       [](Reader& r, const Json& v, RateDeckConfig& deck) {
         r.each(v, [&](const Json& item) {
           RateConfig read;
           const auto errors_before = r.error_count();
           read_object(r, item, rate_fields(), {"prefix"}, read);
           read.rate.terms = std::move(read.terms);
           if (r.error_count() == errors_before) {
             if (auto valid = check_rate(read.rate); !valid) r.fail(valid.error().message);
           }
           deck.rates.push_back(std::move(read.rate));
         });
       }},
      {"file", "path", "none", "CSV file with more rates; its columns are below.",
       [](Reader& r, const Json& v, RateDeckConfig& deck) {
         if (!r.string(v, deck.file, 4096) || deck.file.empty() || !r.looks_outside()) return;
         const std::string path =
             deck.file.front() == '/' ? deck.file : r.folder() + "/" + deck.file;
         auto rows = load_deck_csv(path);
         if (!rows) {
           r.fail(rows.error().message);
           return;
         }
         deck.rates.insert(deck.rates.end(), std::make_move_iterator(rows->begin()),
                           std::make_move_iterator(rows->end()));
       }},
      {"calendar", "id", "mon-fri work", "Classes of the days of its windows (R-12).",
       [](Reader& r, const Json& v, RateDeckConfig& deck) { read_id(r, v, deck.calendar); }},
      {"timezone", "zone", "the calendar's", "Zone of its windows.",
       [](Reader& r, const Json& v, RateDeckConfig& deck) { read_timezone(r, v, deck.timezone); }},
      {"split_windows", "boolean", "false",
       "Increments are priced by the window they begin in, not by that of the call's start.",
       [](Reader& r, const Json& v, RateDeckConfig& deck) { r.boolean(v, deck.split_windows); }},
      {"memo", "text", "\"\"", "Yours.",
       [](Reader& r, const Json& v, RateDeckConfig&) { read_memo(r, v); }},
  };
  return fields;
}

// --- accounts ---

const std::vector<Field<AccountConfig>>& account_fields() {
  static const std::vector<Field<AccountConfig>> fields = {
      {"id", "id", "required", "Name of the account (B-02).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_id(r, v, a.id); }},
      {"balance", "decimal", "\"0\"", "Opening balance; used only when the account is created.",
       [](Reader& r, const Json& v, AccountConfig& a) { r.amount(v, a.balance); }},
      {"overdraft_limit", "decimal >= 0", "\"0\"", "How far below zero the balance may go.",
       [](Reader& r, const Json& v, AccountConfig& a) {
         if (r.amount(v, a.overdraft_limit) && a.overdraft_limit.is_negative()) {
           r.fail("overdraft limit " + a.overdraft_limit.to_string() + " is negative");
         }
       }},
      {"currency", "code", "\"USD\"", "Currency of the balance; that of its deck.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_currency(r, v, a.currency); }},
      {"rate_deck", "id", "none", "Tariff of its calls.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_id(r, v, a.rate_deck); }},
      {"kind", "customer|clearing", "customer",
       "A clearing account is a vendor's; it may go below its limit.",
       [](Reader& r, const Json& v, AccountConfig& a) {
         r.choice<AccountKind>(
             v, {{"customer", AccountKind::customer}, {"clearing", AccountKind::clearing}}, a.kind);
       }},
      {"locked", "boolean", "false", "Calls are refused, `AccountLocked`.",
       [](Reader& r, const Json& v, AccountConfig& a) { r.boolean(v, a.locked); }},
      {"valid_until", "time", "for ever", "From then on calls are refused, `AccountExpired`.",
       [](Reader& r, const Json& v, AccountConfig& a) { r.time(v, a.valid_until_us); }},
      {"call_level", "internal|local|domestic|international", "no restriction",
       "What it may call (N-07).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_call_level(r, v, a.call_level); }},
      {"tax_percent", "decimal 0..1000", "\"0\"",
       "On top of its charges, before the rounding, for rates that say none.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_tax(r, v, a.tax_percent); }},
      {"memo", "text", "\"\"", "Yours.",
       [](Reader& r, const Json& v, AccountConfig&) { read_memo(r, v); }},
  };
  return fields;
}

// --- gateways ---

const std::vector<Field<GatewayAuth>>& auth_fields() {
  static const std::vector<Field<GatewayAuth>> fields = {
      {"username", "text", "required", "Digest user (P-04).",
       [](Reader& r, const Json& v, GatewayAuth& a) { r.string(v, a.username, 128); }},
      {"password", "text", "required", "Digest password.",
       [](Reader& r, const Json& v, GatewayAuth& a) { r.string(v, a.password, 128); }},
      {"realm", "text", "\"tandem\"", "Realm of the challenge; ignored towards vendors.",
       [](Reader& r, const Json& v, GatewayAuth& a) { r.string(v, a.realm, 128); }},
  };
  return fields;
}

void read_addresses(Reader& r, const Json& v, std::vector<GatewayAddress>& addresses) {
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text)) return;
    auto read = resolve_gateway_address(text, r.looks_outside());
    if (!read) {
      r.fail(read.error().message);
      return;
    }
    addresses.insert(addresses.end(), read->begin(), read->end());
  });
}

void read_pairs(Reader& r, const Json& v, std::vector<NumberPair>& pairs) {
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text, 80)) return;
    auto pair = NumberPair::parse(text);
    if (!pair) {
      r.fail(pair.error().message);
    } else {
      pairs.push_back(std::move(*pair));
    }
    if (pairs.size() > 1000) r.fail("more than 1000 pairs");
  });
}

/// The keys that both kinds of gateway have.
template <class G>
std::vector<Field<G>> gateway_fields() {
  return {
      {"id", "id", "required", "Name of the gateway.",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.id); }},
      {"addresses", "array of IP, IP/LENGTH, IP:PORT or name", "required",
       "Signalling addresses (A-03).",
       [](Reader& r, const Json& v, G& g) { read_addresses(r, v, g.addresses); }},
      {"account", "id", "none",
       "Who pays (customer; without one its calls are refused) or is owed (vendor).",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.account); }},
      {"locked", "boolean", "false", "Takes no calls (R-14).",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.locked); }},
      {"line_limit", "integer -1..1000000", "-1",
       "Simultaneous calls; -1 unlimited, 0 none (R-10).",
       [](Reader& r, const Json& v, G& g) { r.number(v, -1, 1'000'000, g.line_limit); }},
      {"priority", "integer 0..65535", "0", "Lower is tried first (R-03; A-03 for customers).",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, 65535, g.priority); }},
      {"rewrite_caller", "rules", "none", "Rewrite rules for the caller (N-01..N-03).",
       [](Reader& r, const Json& v, G& g) { read_rewrite(r, v, g.rewrite_caller); }},
      {"rewrite_callee", "rules", "none", "Rewrite rules for the callee.",
       [](Reader& r, const Json& v, G& g) { read_rewrite(r, v, g.rewrite_callee); }},
      {"media", "auto|on|off|must_on", "auto", "Media through the switch or direct (M-01).",
       [](Reader& r, const Json& v, G& g) { read_media_mode(r, v, g.media); }},
      {"no_media_hangup_s", "integer 0..86400", "parameter",
       "Ends a call without media (M-05); 0: never.",
       [](Reader& r, const Json& v, G& g) {
         read_optional<std::int32_t, 0, 86400>(r, v, g.no_media_hangup_s);
       }},
      {"rtp_interrupt", "none|to_remote|from_remote|both", "none",
       "Ends a call when media to, from or either way of the gateway stops (M-06), after "
       "`no_media_hangup_s` or 60 s.",
       [](Reader& r, const Json& v, G& g) { read_rtp_interrupt(r, v, g.rtp_interrupt); }},
      {"max_call_s", "integer 0..2147483647", "parameter", "Longest call (B-12); 0: unlimited.",
       [](Reader& r, const Json& v, G& g) {
         read_optional<std::int32_t, 0, int32_max>(r, v, g.max_call_s);
       }},
      {"auth", "object", "none", "Digest credentials (P-04).",
       [](Reader& r, const Json& v, G& g) {
         g.auth.emplace();
         read_object(r, v, auth_fields(), {"username", "password"}, *g.auth);
       }},
      {"caller_lengths", "array of 0..32", "any", "Allowed lengths of the caller (N-06).",
       [](Reader& r, const Json& v, G& g) { read_lengths(r, v, g.numbers.caller_lengths); }},
      {"callee_lengths", "array of 0..32", "any", "Allowed lengths of the callee.",
       [](Reader& r, const Json& v, G& g) { read_lengths(r, v, g.numbers.callee_lengths); }},
      {"allow_caller_prefixes", "array", "any",
       "The caller must begin with one of them (N-06, A-03).",
       [](Reader& r, const Json& v, G& g) {
         read_prefixes(r, v, g.numbers.allow_caller_prefixes);
       }},
      {"deny_caller_prefixes", "array", "none", "The caller must begin with none of them.",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.deny_caller_prefixes); }},
      {"allow_callee_prefixes", "array", "any", "The callee must begin with one of them.",
       [](Reader& r, const Json& v, G& g) {
         read_prefixes(r, v, g.numbers.allow_callee_prefixes);
       }},
      {"deny_callee_prefixes", "array", "none", "The callee must begin with none of them.",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.deny_callee_prefixes); }},
      {"allow_caller_groups", "array of ids", "any",
       "The caller must be in one of these number groups.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.allow_caller); }},
      {"deny_caller_groups", "array of ids", "none", "The caller must be in none of them.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.deny_caller); }},
      {"allow_callee_groups", "array of ids", "any",
       "The callee must be in one of these number groups.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.allow_callee); }},
      {"deny_callee_groups", "array of ids", "none", "The callee must be in none of them.",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.number_groups.deny_callee); }},
      {"allow_pairs", "array of CALLER:CALLEE prefixes", "any",
       "Caller and callee must begin as one of these pairs say (N-06).",
       [](Reader& r, const Json& v, G& g) { read_pairs(r, v, g.numbers.allow_pairs); }},
      {"deny_pairs", "array of CALLER:CALLEE prefixes", "none", "And as none of these.",
       [](Reader& r, const Json& v, G& g) { read_pairs(r, v, g.numbers.deny_pairs); }},
      {"allow_same_city", "array of prefixes", "any",
       "Caller and callee must begin with the same one of these city codes (N-06).",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.allow_same_city); }},
      {"deny_same_city", "array of prefixes", "none", "And not with the same one of these.",
       [](Reader& r, const Json& v, G& g) { read_prefixes(r, v, g.numbers.deny_same_city); }},
      {"number_transform", "boolean", "false", "`number_transforms[]` hold for it (N-05).",
       [](Reader& r, const Json& v, G& g) { r.boolean(v, g.number_transform); }},
      {"complete_mobile_areas", "array", "[]",
       "Callees that are mobile numbers of these areas get the area code in front (N-04).",
       [](Reader& r, const Json& v, G& g) { r.strings(v, g.complete_mobile_areas); }},
      {"calls_per_second", "integer 0..100000", "0",
       "New calls a second; 0: no limit. Too many are refused, `RateLimited` (customer), or go to "
       "the next vendor (R-22).",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, 100'000, g.calls_per_second); }},
      {"burst", "integer 0..1000000", "as calls_per_second",
       "Calls at once before `calls_per_second` counts.",
       [](Reader& r, const Json& v, G& g) { r.number(v, 0, 1'000'000, g.burst); }},
      {"min_profit_percent", "-10000..10000, two decimals", "none",
       "Vendors that leave less of the customer's price are passed over (R-18, B-13).",
       [](Reader& r, const Json& v, G& g) { read_percent(r, v, g.min_profit_hundredths); }},
      {"max_price_per_s", "decimal >= 0", "none",
       "Vendors whose second costs more are passed over (R-18).",
       [](Reader& r, const Json& v, G& g) { read_price(r, v, g.max_price_per_s); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, G&) { read_memo(r, v); }},
  };
}

const std::vector<Field<SplitEntry>>& split_fields() {
  static const std::vector<Field<SplitEntry>> fields = {
      {"share", "integer 1..1000", "1", "Its part of the calls: share / sum of shares.",
       [](Reader& r, const Json& v, SplitEntry& s) { r.number(v, 1, 1000, s.share); }},
      {"add_prefix", "text", "\"\"", "Put before the callee for routing, not for billing.",
       [](Reader& r, const Json& v, SplitEntry& s) {
         std::string prefix;
         if (!r.string(v, prefix, 32)) return;
         if (!prefix.empty() && !is_number(prefix)) {
           r.fail("\"" + prefix + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
           return;
         }
         s.add_prefix = std::move(prefix);
       }},
  };
  return fields;
}

// --- number portability ---

void read_billing_prefix(Reader& r, const Json& v, std::string& out) {
  std::string prefix;
  if (!r.string(v, prefix, 32)) return;
  if (!prefix.empty() && !is_number(prefix)) {
    r.fail("\"" + prefix + "\" is no prefix: 0..32 of 0-9 A-Z a-z + * # _");
    return;
  }
  out = std::move(prefix);
}

const std::vector<Field<LrnGatewayConfig>>& lrn_fields() {
  using L = LrnGatewayConfig;
  static const std::vector<Field<L>> fields = {
      {"resolver", "id", "required", "Who is asked: one of `lrn_resolvers[]` (R-20).",
       [](Reader& r, const Json& v, L& l) { read_id(r, v, l.resolver); }},
      {"enable", "boolean", "true", "Whether numbers are looked up.",
       [](Reader& r, const Json& v, L& l) { r.boolean(v, l.enable); }, "lrnEnable"},
      {"eat_prefix_length", "integer 0..32", "0",
       "Leading characters of the callee that are not asked for; routing puts them before the LRN.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 0, 32, l.eat_prefix_length); },
       "lrnEatPrefixLength"},
      {"failure_action", "reject|continue", "reject",
       "A callee that could not be looked up: `LrnFailed`, or on with the dialled number; also 0 "
       "and 1.",
       [](Reader& r, const Json& v, L& l) {
         if (v.is_string()) {
           r.choice<LrnFailureAction>(
               v, {{"reject", LrnFailureAction::reject}, {"continue", LrnFailureAction::go_on}},
               l.failure_action);
           return;
         }
         std::int64_t number = 0;
         if (r.integer(v, 0, 1, number))
           l.failure_action = number == 0 ? LrnFailureAction::reject : LrnFailureAction::go_on;
       },
       "lrnFailureAction"},
      {"interstate_billing_prefix", "text", "\"\"",
       "Put before the callee for the customer's price when caller and callee are in different "
       "regions.",
       [](Reader& r, const Json& v, L& l) {
         read_billing_prefix(r, v, l.interstate_billing_prefix);
       },
       "lrnInterstateBillingPrefix"},
      {"undetermined_billing_prefix", "text", "\"\"", "And when one of the regions is unknown.",
       [](Reader& r, const Json& v, L& l) {
         read_billing_prefix(r, v, l.undetermined_billing_prefix);
       },
       "lrnUndeterminedBillingPrefix"},
      {"route_by", "lrn|dialled", "lrn",
       "The number that vendors are chosen by; `dialled`: the answer is for billing only.",
       [](Reader& r, const Json& v, L& l) {
         r.choice<bool>(v, {{"lrn", true}, {"dialled", false}}, l.routes_by_lrn);
       }},
      {"trust_npdi", "boolean", "false",
       "A Request-URI with `npdi` (RFC 4694) is believed and not looked up again.",
       [](Reader& r, const Json& v, L& l) { r.boolean(v, l.trusts_npdi); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, L&) { read_memo(r, v); }},
  };
  return fields;
}

void read_resolver_addresses(Reader& r, const Json& v, std::vector<SocketAddress>& addresses) {
  std::vector<GatewayAddress> read;
  read_addresses(r, v, read);
  for (const GatewayAddress& address : read) {
    if (address.network.prefix_length != (address.network.address.is_ipv6() ? 128 : 32)) {
      r.fail("\"" + address.text + "\" is a block; a question needs one address");
    } else {  // the kind, which says what no port means, may follow
      addresses.push_back({address.network.address, address.port.value_or(0)});
    }
  }
  if (addresses.size() > 16)
    r.fail(std::to_string(addresses.size()) + " addresses are more than 16");
}

/// Visible characters of ASCII only: it becomes part of a request line.
void read_path(Reader& r, const Json& v, std::string& path) {
  std::string text;
  if (!r.string(v, text, 1024)) return;
  bool good = text.starts_with('/');
  for (unsigned char c : text)
    good = good && c > 0x20 && c < 0x7f && c != '#';
  if (!good || text.find("{number}") == std::string::npos) {
    r.fail("\"" + text + "\" is no path such as \"/lrn?number={number}\"");
    return;
  }
  path = std::move(text);
}

void read_header_lines(Reader& r, const Json& v, std::vector<std::string>& headers) {
  std::size_t count = 0;
  r.each(v, [&](const Json& item) {
    std::string line;
    if (++count > 16) {
      r.fail("more than 16 headers");
      return;
    }
    if (!r.string(item, line, 1024)) return;
    const std::size_t colon = line.find(": ");
    bool good = colon != std::string::npos && colon > 0 && colon + 2 < line.size();
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto c = static_cast<unsigned char>(line[i]);
      const bool is_of_name = std::isalnum(c) != 0 || c == '-' || c == '_';
      good = good && c >= 0x20 && c < 0x7f && (i >= colon || is_of_name);
    }
    const std::string name = line.substr(0, colon);
    for (const char* own : {"Host", "Content-Length", "Transfer-Encoding", "Connection"})
      good = good && !equals_ignoring_case(name, own);
    if (!good) {
      r.fail("expected \"Name: value\", with a name that the switch does not send itself");
      return;
    }
    headers.push_back(std::move(line));
  });
}

/// A key, or a JSON pointer that begins with '/'.
void read_answer_key(Reader& r, const Json& v, std::string& key) {
  std::string text;
  if (!r.string(v, text, 128)) return;
  bool good = !text.empty();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_bare_tilde = text.front() == '/' && text[i] == '~' &&
                               (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1'));
    good = good && static_cast<unsigned char>(text[i]) >= 0x20 && !is_bare_tilde;
  }
  if (!good) {
    r.fail("\"" + text + "\" is neither a key nor a JSON pointer");
    return;
  }
  key = std::move(text);
}

const std::vector<Field<LrnResolverConfig>>& lrn_resolver_fields() {
  using L = LrnResolverConfig;
  static const std::vector<Field<L>> fields = {
      {"id", "id", "required", "Name of the resolver (R-20).",
       [](Reader& r, const Json& v, L& l) { read_id(r, v, l.id); }},
      {"kind", "sip302|http|host", "required",
       "INVITE to a redirect server, HTTP GET, or the hook of the host program.",
       [](Reader& r, const Json& v, L& l) {
         r.choice<LrnResolverKind>(v,
                                   {{"sip302", LrnResolverKind::sip302},
                                    {"http", LrnResolverKind::http},
                                    {"host", LrnResolverKind::host}},
                                   l.kind);
       }},
      {"addresses", "array of IP, IP:PORT or name", "none",
       "Servers, port 5060 or 80; a repeated question goes to the next one. Not for `host`.",
       [](Reader& r, const Json& v, L& l) { read_resolver_addresses(r, v, l.addresses); }},
      {"transport", "udp|tcp", "udp", "sip302: how they are reached.",
       [](Reader& r, const Json& v, L& l) {
         r.choice<SipTransport>(v, {{"udp", SipTransport::udp}, {"tcp", SipTransport::tcp}},
                                l.transport);
       }},
      {"caller", "text", "\"\"", "sip302: user part of From.",
       [](Reader& r, const Json& v, L& l) { r.string(v, l.caller, 64); }},
      {"path", "text", "\"/lrn?number={number}\"", "http: what is asked for.",
       [](Reader& r, const Json& v, L& l) { read_path(r, v, l.path); }},
      {"headers", "array of \"Name: value\"", "[]", "http: further header lines, at most 16.",
       [](Reader& r, const Json& v, L& l) { read_header_lines(r, v, l.headers); }},
      {"lrn_key", "text", "\"lrn\"",
       "http: key of the answer, or JSON pointer into it; absent, null or \"\": not ported.",
       [](Reader& r, const Json& v, L& l) { read_answer_key(r, v, l.lrn_key); }},
      {"region_key", "text", "\"region\"", "http: the same; sip302: parameter of the Contact.",
       [](Reader& r, const Json& v, L& l) { read_answer_key(r, v, l.region_key); }},
      {"timeout_ms", "integer 50..10000", "1000", "For each attempt.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 50, 10'000, l.timeout_ms); }},
      {"retries", "integer 0..5", "1",
       "Further attempts when nobody answered; a host is asked once.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 0, 5, l.retries); }},
      {"cache_s", "integer 0..86400", "300", "How long an answer is good; 0: it is not kept.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 0, 86'400, l.cache_s); }},
      {"cache_entries", "integer 1..10000000", "100000", "Answers kept; the oldest goes first.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 1, 10'000'000, l.cache_entries); }},
      {"queries_max", "integer 1..65536", "1000",
       "Numbers that each worker asks for at once; more fail.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 1, 65'536, l.queries_max); }},
      {"connections", "integer 1..64", "4", "http: to each address from each worker.",
       [](Reader& r, const Json& v, L& l) { r.number(v, 1, 64, l.connections); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, L&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<CustomerGateway>>& customer_fields() {
  static const std::vector<Field<CustomerGateway>> fields = [] {
    auto table = gateway_fields<CustomerGateway>();
    const std::vector<Field<CustomerGateway>> more = {
        {"sort", "list of answer_ratio, lowest_rate", "as the parameters say",
         "What goes behind the prefix length and before the priority (R-07).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           r.each(v, [&](const Json& item) {
             RoutePolicy policy = RoutePolicy::none;
             r.choice<RoutePolicy>(item,
                                   {{"answer_ratio", RoutePolicy::answer_ratio},
                                    {"lowest_rate", RoutePolicy::lowest_rate}},
                                   policy);
             if (policy == RoutePolicy::none) return;
             if (std::find(g.sort.begin(), g.sort.end(), policy) != g.sort.end()) {
               r.fail(std::string("\"") + route_policy_name(policy) + "\" is there twice");
               return;
             }
             g.sort.push_back(policy);
           });
         }},
        {"split", "array", "[]", "Calls shared out in proportion, see below (R-19).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           r.each(v, [&](const Json& item) {
             SplitEntry entry;
             read_object(r, item, split_fields(), {"share"}, entry);
             g.split.push_back(std::move(entry));
           });
           if (g.split.size() > 64)
             r.fail(std::to_string(g.split.size()) + " entries are more than 64");
         }},
        {"lrn", "object", "none", "Number portability, see below (R-20).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           read_object(r, v, lrn_fields(), {"resolver"}, g.lrn.emplace());
         }},
        {"vendor_groups", "{\"allow\": []} or {\"deny\": []}", "all",
         "Which gateway groups' vendors its calls may use (R-09).",
         [](Reader& r, const Json& v, CustomerGateway& g) {
           static const std::vector<Field<CustomerGateway>> lists = {
               {"allow", "", "", "",
                [](Reader& rr, const Json& vv, CustomerGateway& gg) {
                  rr.strings(vv, gg.vendor_groups_allow);
                }},
               {"deny", "", "", "",
                [](Reader& rr, const Json& vv, CustomerGateway& gg) {
                  rr.strings(vv, gg.vendor_groups_deny);
                }},
           };
           read_object(r, v, lists, {}, g);
         }},
    };
    table.insert(table.end() - 1, more.begin(), more.end());
    return table;
  }();
  return fields;
}

// --- calendars and periods ---

/// When a period holds.
std::vector<Field<PeriodConfig>> period_times() {
  using P = PeriodConfig;
  return {
      {"days", "mon..sun, ranges, work, rest, holiday, any", "any",
       "Days on which the period begins, as comma text or a list (R-13).",
       [](Reader& r, const Json& v, P& p) { read_days(r, v, p.days); }},
      {"from", "time of day", "\"00:00\"", "Local time from which it holds.",
       [](Reader& r, const Json& v, P& p) { read_first_time_of_day(r, v, p.from_s); }},
      {"to", "time of day", "\"24:00\"",
       "Up to this; before `from`: of the next day. `from` and `to` differ.",
       [](Reader& r, const Json& v, P& p) { read_time_of_day(r, v, p.to_s); }},
      {"day_class", "work|rest|holiday", "any", "And only on days of this class (R-12).",
       [](Reader& r, const Json& v, P& p) { read_day_class(r, v, p.day_class.emplace()); }},
      {"timezone", "zone", "the calendar's", "\"Europe/London\", \"+08:00\" or \"UTC\".",
       [](Reader& r, const Json& v, P& p) { read_timezone(r, v, p.timezone); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, P&) { read_memo(r, v); }},
  };
}

std::vector<Field<PeriodConfig>> joined(std::vector<Field<PeriodConfig>> first,
                                        std::vector<Field<PeriodConfig>> second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

const std::vector<Field<PeriodConfig>>& period_fields() {
  using P = PeriodConfig;
  static const std::vector<Field<P>> fields = joined(
      period_times(),
      {
          {"closed", "boolean", "not said", "Takes no calls.",
           [](Reader& r, const Json& v, P& p) { r.boolean(v, p.closed.emplace()); }},
          {"line_limit", "integer -1..1000000", "not said", "Instead of the gateway's.",
           [](Reader& r, const Json& v, P& p) {
             read_optional<std::int32_t, -1, 1'000'000>(r, v, p.line_limit);
           }},
          {"priority", "integer 0..65535", "not said", "Instead of the gateway's.",
           [](Reader& r, const Json& v, P& p) {
             read_optional<std::int32_t, 0, 65535>(r, v, p.priority);
           }},
          {"rewrite_caller", "rules", "not said", "Instead of the gateway's; \"\": none.",
           [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.rewrite_caller.emplace()); }},
          {"rewrite_callee", "rules", "not said", "Instead of the gateway's; \"\": none.",
           [](Reader& r, const Json& v, P& p) { read_rewrite(r, v, p.rewrite_callee.emplace()); }},
          {"allow_caller_prefixes", "array", "not said", "Only these callers.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.allow_caller_prefixes); }},
          {"forbid_caller_prefixes", "array", "not said", "Not these callers.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.forbid_caller_prefixes); }},
          {"allow_callee_prefixes", "array", "not said", "Only these callees.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.allow_callee_prefixes); }},
          {"forbid_callee_prefixes", "array", "not said", "Not these callees.",
           [](Reader& r, const Json& v, P& p) { read_prefixes(r, v, p.forbid_callee_prefixes); }},
      });
  return fields;
}

const std::vector<Field<PeriodConfig>>& group_period_fields() {
  using P = PeriodConfig;
  static const std::vector<Field<P>> fields =
      joined(period_times(),
             {{"line_limit", "integer -1..1000000", "required",
               "Instead of the group's; -1 unlimited, 0 none.", [](Reader& r, const Json& v, P& p) {
                 read_optional<std::int32_t, -1, 1'000'000>(r, v, p.line_limit);
               }}});
  return fields;
}

void read_periods(Reader& r, const Json& v, const std::vector<Field<PeriodConfig>>& fields,
                  std::initializer_list<const char*> required, std::vector<PeriodConfig>& periods) {
  r.each(v, [&](const Json& item) {
    PeriodConfig period;
    read_object(r, item, fields, required, period);
    if (period.from_s == period.to_s) r.fail("\"from\" and \"to\" are the same");
    periods.push_back(std::move(period));
  });
}

const std::vector<Field<CalendarConfig>>& calendar_fields() {
  using C = CalendarConfig;
  static const std::vector<Field<C>> fields = {
      {"id", "id", "required", "Name of the calendar (R-12).",
       [](Reader& r, const Json& v, C& c) { read_id(r, v, c.id); }},
      {"timezone", "zone", "parameter", "Zone that its days are counted in.",
       [](Reader& r, const Json& v, C& c) { read_timezone(r, v, c.timezone); }},
      {"week", "{\"sat\": \"rest\", ...}", "mon-fri work, sat-sun rest", "Class of each weekday.",
       [](Reader& r, const Json& v, C& c) {
         if (!v.is_object()) {
           r.fail("expected an object of days and classes");
           return;
         }
         for (auto item = v.begin(); item != v.end(); ++item) {
           Reader::Step step(r, item.key());
           const auto days = DaySet::parse({item.key()});
           if (!days || days->classes != 0) {
             r.fail("\"" + item.key() + "\" is no weekday such as \"sat\" or \"mon-fri\"");
             continue;
           }
           DayClass kind = DayClass::work;
           read_day_class(r, item.value(), kind);
           for (std::size_t day = 0; day < 7; ++day) {
             if ((days->weekdays >> day & 1) != 0) c.week[day] = kind;
           }
         }
       }},
      {"exceptions", "array of {\"date\": \"2026-12-25\", \"class\": \"holiday\"}", "[]",
       "Dates that are not what their weekday says.",
       [](Reader& r, const Json& v, C& c) {
         struct Exception {
           std::int64_t day = 0;
           DayClass kind = DayClass::holiday;
         };
         static const std::vector<Field<Exception>> keys = {
             {"date", "", "", "",
              [](Reader& rr, const Json& vv, Exception& e) {
                std::string text;
                if (!rr.string(vv, text, 10)) return;
                if (auto day = parse_day(text)) {
                  e.day = *day;
                } else {
                  rr.fail(day.error().message);
                }
              }},
             {"class", "", "", "",
              [](Reader& rr, const Json& vv, Exception& e) { read_day_class(rr, vv, e.kind); }},
             {"memo", "", "", "",
              [](Reader& rr, const Json& vv, Exception&) { read_memo(rr, vv); }},
         };
         r.each(v, [&](const Json& item) {
           Exception exception;
           read_object(r, item, keys, {"date", "class"}, exception);
           c.exceptions[exception.day] = exception.kind;
         });
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, C&) { read_memo(r, v); }},
  };
  return fields;
}

// --- groups ---

const std::vector<Field<GroupMember>>& member_fields() {
  static const std::vector<Field<GroupMember>> fields = {
      {"gateway", "id", "required", "A customer or vendor gateway, or both of that id.",
       [](Reader& r, const Json& v, GroupMember& m) { read_id(r, v, m.gateway); }},
      {"reserved_lines", "integer 0..1000000", "0",
       "As long as fewer lines of the group are free, this gateway gets none (R-11).",
       [](Reader& r, const Json& v, GroupMember& m) {
         r.number(v, 0, 1'000'000, m.reserved_lines);
       }},
  };
  return fields;
}

const std::vector<Field<GatewayGroup>>& gateway_group_fields() {
  using G = GatewayGroup;
  static const std::vector<Field<G>> fields = {
      {"id", "id", "required", "Name of the group (R-11).",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.id); }},
      {"line_limit", "integer -1..1000000", "-1",
       "Simultaneous calls of all members together; -1 unlimited, 0 none.",
       [](Reader& r, const Json& v, G& g) { r.number(v, -1, 1'000'000, g.line_limit); }},
      {"members", "array", "[]", "Its gateways, see below.",
       [](Reader& r, const Json& v, G& g) {
         r.each(v, [&](const Json& item) {
           GroupMember member;
           read_object(r, item, member_fields(), {"gateway"}, member);
           g.members.push_back(std::move(member));
         });
       }},
      {"periods", "array", "[]", "Line limits that hold at times, see below (R-12).",
       [](Reader& r, const Json& v, G& g) {
         read_periods(r, v, group_period_fields(), {"line_limit"}, g.periods);
       }},
      {"calendar", "id", "mon-fri work", "Calendar of its periods.",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.calendar); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, G&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<NumberGroup>>& number_group_fields() {
  using G = NumberGroup;
  static const std::vector<Field<G>> fields = {
      {"id", "id", "required", "Name of the group.",
       [](Reader& r, const Json& v, G& g) { read_id(r, v, g.id); }},
      {"numbers", "array", "[]", "Its numbers, each once.",
       [](Reader& r, const Json& v, G& g) {
         if (!r.strings(v, g.numbers)) return;
         std::set<std::string_view> seen;
         for (std::size_t i = 0; i < g.numbers.size(); ++i) {
           Reader::Step step(r, i);
           if (!is_number(g.numbers[i])) {
             r.fail("\"" + g.numbers[i] + "\" is no number: 1..32 of 0-9 A-Z a-z + * # _");
           } else if (!seen.insert(g.numbers[i]).second) {
             r.fail("\"" + g.numbers[i] + "\" is there twice");
           }
         }
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, G&) { read_memo(r, v); }},
  };
  return fields;
}

void read_number(Reader& r, const Json& v, std::string& number) {
  if (r.string(v, number, 64) && !is_number(number))
    r.fail("\"" + number + "\" is no number: 1..32 of 0-9 A-Z a-z + * # _");
}

const std::vector<Field<NumberTransform>>& number_transform_fields() {
  using T = NumberTransform;
  static const std::vector<Field<T>> fields = {
      {"id", "id", "the number", "Name of the entry.",
       [](Reader& r, const Json& v, T& t) { read_id(r, v, t.id); }},
      {"number", "number", "required", "As it is routed and billed (N-05).",
       [](Reader& r, const Json& v, T& t) { read_number(r, v, t.number); }},
      {"customer_caller", "number", "none", "A customer's caller that stands for it.",
       [](Reader& r, const Json& v, T& t) { read_number(r, v, t.customer_caller); }},
      {"vendor_callee", "number", "none", "What vendors get as callee for it.",
       [](Reader& r, const Json& v, T& t) { read_number(r, v, t.vendor_callee); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, T&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<MobileArea>>& mobile_area_fields() {
  using A = MobileArea;
  static const std::vector<Field<A>> fields = {
      {"id", "id", "the prefix", "Name of the entry.",
       [](Reader& r, const Json& v, A& a) { read_id(r, v, a.id); }},
      {"prefix", "number", "required",
       "Mobile numbers that begin so are at home in the area (N-04).",
       [](Reader& r, const Json& v, A& a) { read_number(r, v, a.prefix); }},
      {"area_code", "number", "required", "Goes before the number.",
       [](Reader& r, const Json& v, A& a) { read_number(r, v, a.area_code); }},
      {"area", "text", "required", "Name that gateways choose it by.",
       [](Reader& r, const Json& v, A& a) { r.string(v, a.area, 128); }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, A&) { read_memo(r, v); }},
  };
  return fields;
}

const std::vector<Field<CallerPoolConfig>>& caller_pool_fields() {
  using P = CallerPoolConfig;
  static const std::vector<Field<P>> fields = {
      {"numbers", "id", "required", "Number group that callers are taken from (R-24).",
       [](Reader& r, const Json& v, P& p) { read_id(r, v, p.numbers); }},
      {"calls_per_number", "integer 0..1000000", "1",
       "Calls that may show one number at once; 0: any number of them.",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 1'000'000, p.calls_per_number); }},
      {"rotation", "poll|random", "poll", "The next free number of the list, or any free one.",
       [](Reader& r, const Json& v, P& p) {
         r.choice<bool>(v, {{"poll", false}, {"random", true}}, p.is_random);
       }},
  };
  return fields;
}

const std::vector<Field<SwitchRules>>& switching_fields() {
  static const std::vector<Field<SwitchRules>> fields = {
      {"until_connect", "boolean", "parameter", "Go on after ringing and early media (R-15).",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.until_connect.emplace()); }},
      {"after_ringing", "boolean", "parameter", "Go on after 180.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_ringing.emplace()); }},
      {"after_sdp", "boolean", "parameter", "Go on after a provisional response with SDP.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_sdp.emplace()); }},
      {"after_rtp", "boolean", "parameter", "Go on after media from the vendor.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_rtp.emplace()); }},
      {"after_busy", "boolean", "parameter", "Go on after busy.",
       [](Reader& r, const Json& v, SwitchRules& s) { r.boolean(v, s.after_busy.emplace()); }},
      {"stop_codes", "array of 300..699", "[]", "SIP statuses that end the hunt.",
       [](Reader& r, const Json& v, SwitchRules& s) {
         r.each(v, [&](const Json& item) {
           std::int64_t code = 0;
           if (r.integer(item, 300, 699, code))
             s.stop_codes.push_back(static_cast<std::int32_t>(code));
         });
       }},
  };
  return fields;
}

const std::vector<Field<VendorGateway>>& vendor_fields() {
  static const std::vector<Field<VendorGateway>> fields = [] {
    auto table = gateway_fields<VendorGateway>();
    const std::vector<Field<VendorGateway>> more = {
        {"prefixes", "array", "every number", "Callees it takes; the longest match counts (R-01).",
         [](Reader& r, const Json& v, VendorGateway& g) { read_prefixes(r, v, g.prefixes); }},
        {"prefix_mode", "extension|expiration", "extension",
         "Whether shorter prefixes may follow (R-02).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           r.choice<PrefixMode>(v,
                                {{"extension", PrefixMode::extension},
                                 {"continual", PrefixMode::extension},
                                 {"expiration", PrefixMode::expiration},
                                 {"terminal", PrefixMode::expiration}},
                                g.prefix_mode);
         }},
        {"customers", "{\"allow\": []} or {\"deny\": []}", "all",
         "Which customer gateways may use it (R-09).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           static const std::vector<Field<VendorGateway>> lists = {
               {"allow", "", "", "",
                [](Reader& rr, const Json& vv, VendorGateway& gg) {
                  rr.strings(vv, gg.customers_allow);
                }},
               {"deny", "", "", "",
                [](Reader& rr, const Json& vv, VendorGateway& gg) {
                  rr.strings(vv, gg.customers_deny);
                }},
           };
           read_object(r, v, lists, {}, g);
         }},
        {"protect", "boolean", "false",
         "Only tried when vendors without it could not deliver (R-08).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.protect); }},
        {"require_rate", "boolean", "false",
         "Passed over for numbers that its account has no rate for (R-18).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.require_rate); }},
        {"least_cost", "boolean", "false",
         "Where the order looks at prices, its price counts; without it only whether it is the "
         "lowest (R-06).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.least_cost); }},
        {"quality", "boolean", "parameter",
         "Its answered attempts are counted for the order (R-05).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.quality.emplace()); }},
        {"caller_pool", "object", "none", "Callers that it is shown, see below (R-24).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_object(r, v, caller_pool_fields(), {"numbers"}, g.caller_pool.emplace());
         }},
        {"send_npdi", "boolean", "true",
         "Its Request-URI shows `npdi` and `rn` of calls that were routed by LRN (R-20).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.send_npdi); }},
        {"periods", "array", "[]", "Settings that hold at times, see below (R-13).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_periods(r, v, period_fields(), {}, g.periods);
         }},
        {"calendar", "id", "mon-fri work", "Calendar of its periods (R-12).",
         [](Reader& r, const Json& v, VendorGateway& g) { read_id(r, v, g.calendar); }},
        {"options_check", "boolean", "false",
         "Asks its addresses by OPTIONS and uses those that answer (R-17).",
         [](Reader& r, const Json& v, VendorGateway& g) { r.boolean(v, g.options_check); }},
        {"switch", "object", "parameters", "Failover rules of this vendor (R-15).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           read_object(r, v, switching_fields(), {}, g.switching);
         }},
        {"sip", "{\"transport\": \"udp\"|\"tcp\"}", "udp", "How it is reached (P-01).",
         [](Reader& r, const Json& v, VendorGateway& g) {
           static const std::vector<Field<VendorGateway>> keys = {
               {"transport", "", "", "",
                [](Reader& rr, const Json& vv, VendorGateway& gg) {
                  rr.choice<SipTransport>(
                      vv, {{"udp", SipTransport::udp}, {"tcp", SipTransport::tcp}}, gg.transport);
                }},
           };
           read_object(r, v, keys, {}, g);
         }},
    };
    table.insert(table.end() - 1, more.begin(), more.end());
    return table;
  }();
  return fields;
}

// --- parameters ---

template <auto Member, std::int64_t Low, std::int64_t High>
void read_seconds(Reader& r, const Json& v, Parameters& p) {
  r.number(v, Low, High, p.*Member);
}
template <auto Member>
void read_flag(Reader& r, const Json& v, Parameters& p) {
  r.boolean(v, p.*Member);
}

const std::vector<Field<Parameters>>& parameter_fields() {
  using P = Parameters;
  static const std::vector<Field<P>> fields = {
      {"no_media_hangup_s", "integer 0..86400", "0",
       "Ends calls whose media fell silent both ways (M-05); 0: off.",
       read_seconds<&P::no_media_hangup_s, 0, 86400>, "SS_NOMEDIAHANGUPTIME"},
      {"max_call_s", "integer 0..2147483647", "0", "Longest call (B-12); 0: unlimited.",
       read_seconds<&P::max_call_s, 0, int32_max>, "SS_MAXCALLDURATION"},
      {"invite_timeout_s", "integer 1..3600", "10", "INVITE sent, nothing heard (P-19).",
       read_seconds<&P::invite_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_INVITE"},
      {"ringing_timeout_s", "integer 1..3600", "120", "After 180.",
       read_seconds<&P::ringing_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_RINGING"},
      {"trying_timeout_s", "integer 1..3600", "20", "After 100.",
       read_seconds<&P::trying_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_TRYING"},
      {"progress_timeout_s", "integer 1..3600", "20", "After 183 without SDP.",
       read_seconds<&P::progress_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_SESSION_PROGRESS"},
      {"progress_sdp_timeout_s", "integer 1..3600", "120", "After 183 with SDP.",
       read_seconds<&P::progress_sdp_timeout_s, 1, 3600>, "SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP"},
      {"switch_limit", "integer 0..1000", "none", "Failovers of one call (R-15).",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         read_optional<std::int32_t, 0, 1000>(r, v, p.switch_limit);
       },
       "SS_GATEWAY_SWITCH_LIMIT"},
      {"switch_until_connect", "boolean", "false",
       "Fail over after ringing and early media too (R-15).", read_flag<&P::switch_until_connect>,
       "SS_GATEWAY_SWITCH_UNTIL_CONNECT"},
      {"stop_switch_after_rtp", "boolean", "true", "No failover once the vendor sent media (R-15).",
       read_flag<&P::stop_switch_after_rtp>, "SS_GATEWAY_SWITCH_STOP_AFTER_RTP_START"},
      {"stop_switch_after_busy", "boolean", "true", "No failover after 486 and 600 (R-15).",
       read_flag<&P::stop_switch_after_busy>, "SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY"},
      {"stop_switch_after_sdp", "boolean", "true",
       "No failover after a provisional response with SDP (R-15).",
       read_flag<&P::stop_switch_after_sdp>, "SS_SIP_STOP_SWITCH_AFTER_SDP"},
      {"reply_unauthorized", "boolean", "true",
       "Answer unknown sources with 403; false: silence (S-12).", read_flag<&P::reply_unauthorized>,
       "SS_REPLY_UNAUTHORIZED"},
      {"media_mode", "auto|on|off|must_on", "on", "Where media goes when gateways say auto (M-01).",
       [](Reader& r, const Json& v, P& p) { read_media_mode(r, v, p.media_mode); },
       "SS_MEDIAPROXYMODE"},
      {"sip_tos", "integer 0..255", "160", "TOS byte of SIP packets (P-27); 0: unmarked.",
       read_seconds<&P::sip_tos, 0, 255>, "SS_QOS_SIGNAL"},
      {"media_tos", "integer 0..255", "160", "TOS byte of media packets (M-18); 0: unmarked.",
       read_seconds<&P::media_tos, 0, 255>, "SS_QOS_RTP"},
      {"max_calls", "integer 0..10000000", "0",
       "Simultaneous calls of the whole switch (O-16); 0: unlimited.",
       read_seconds<&P::max_calls, 0, 10'000'000>},
      {"fee_precision", "integer 0..8", "6", "Decimals of a charge (B-07).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 8, p.fees.precision); },
       "SERVER_BILLING_FEE_PRECISION"},
      {"fee_unit", "decimal > 0", "none", "A charge is rounded up to a multiple of it (B-07).",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         if (r.amount(v, p.fees.unit) && p.fees.unit.is_negative()) r.fail("fee unit is negative");
       },
       "SERVER_BILLING_FEE_UNIT"},
      {"fee_rounding", "half_up|half_even|up|down", "half_up", "Rounding to the precision (B-07).",
       [](Reader& r, const Json& v, P& p) {
         r.choice<FeeRounding>(v,
                               {{"half_up", FeeRounding::half_up},
                                {"half_even", FeeRounding::half_even},
                                {"up", FeeRounding::up},
                                {"down", FeeRounding::down}},
                               p.fees.rounding);
       }},
      {"hold_time_precision_ms", "integer 1..1000", "50",
       "Milliseconds from which a begun second counts (B-08).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 1, 1000, p.fees.hold_time_precision_ms); },
       "SERVER_BILLING_HOLD_TIME_PRECISION"},
      {"free_time_s", "integer 0..86400", "0", "Seconds taken off every call before rating (B-09).",
       [](Reader& r, const Json& v, P& p) { r.number(v, 0, 86400, p.fees.free_time_s); },
       "SERVER_BILLING_FREE_TIME"},
      {"free_numbers", "list or comma text", "[]",
       "Callees that are never charged; a trailing * is a prefix (B-09).",
       [](Reader& r, const Json& v, P& p) { r.strings(v, p.free_numbers); },
       "SERVER_BILLING_FREE_E164S"},
      {"record_unanswered", "boolean", "true", "CDRs of unanswered calls (C-02).",
       read_flag<&P::record_unanswered>, "SERVER_BILLING_RECORD_ZERO_HOLD_TIME"},
      {"record_server_release", "boolean", "true",
       "CDRs of unanswered calls that the switch itself refused.",
       read_flag<&P::record_server_release>, "SERVER_BILLING_RECORD_SERVER_HANG_UP"},
      {"record_illegal", "boolean", "true", "CDRs of calls from unknown sources (S-10).",
       read_flag<&P::record_illegal>, "SERVER_BILLING_RECORD_ILLEGAL_CALL"},
      {"options_check_s", "integer 5..3600", "60",
       "Between two OPTIONS to an address of a vendor with `options_check` (R-17).",
       read_seconds<&P::options_check_s, 5, 3600>, "SS_SIP_OPTIONS_CHECK_PERIOD"},
      {"drain_timeout_s", "integer 0..86400", "60", "How long SIGTERM lets calls go on.",
       read_seconds<&P::drain_timeout_s, 0, 86400>},
      {"interim_mark_s", "integer 1..3600", "10",
       "Distance of the marks that bill a call cut by a crash.",
       read_seconds<&P::interim_mark_s, 1, 3600>},
      {"timezone", "zone", "UTC", "Zone of calendars and periods that name none (R-12).",
       [](Reader& r, const Json& v, P& p) { read_timezone(r, v, p.timezone); }},
      {"quality_calculate", "boolean", "false",
       "Count answered attempts of vendors that do not say (R-05).",
       read_flag<&P::quality_calculate>, "SS_GATEWAY_QUALITY_CALCULATE",
       "SS_GATEWAY_ASR_CALCULATE"},
      {"quality_window_s", "integer 60..86400", "3600", "How far back the count reaches.",
       read_seconds<&P::quality_window_s, 60, 86400>, "SS_GATEWAY_QUALITY_RESERVE_TIME",
       "SS_GATEWAY_ASR_RESERVE_TIME"},
      {"quality_slice_s", "integer 1..86400", "300",
       "Slice in which it ages; the window holds 1..1440 of them.",
       read_seconds<&P::quality_slice_s, 1, 86400>, "SS_GATEWAY_QUALITY_RESERVE_SEPARATE",
       "SS_GATEWAY_ASR_RESERVE_SEPARATE"},
      {"quality_sort_position", "integer 0..3", "3 with a vendor's `quality`",
       "The answer ratio in the order: 0 nowhere, 1 before the prefix length, 2 behind it, 3 "
       "behind "
       "the priority (R-05).",
       [](Reader& r, const Json& v, P& p) {
         read_optional<std::int32_t, 0, 3>(r, v, p.quality_sort_position);
       },
       "SS_GATEWAY_ASR_ROUTE_SORT_CONFIG"},
      {"rate_sort_position", "integer 0..3", "3 with a vendor's `least_cost`",
       "The price of a second in the order, likewise (R-06).",
       [](Reader& r, const Json& v, P& p) {
         read_optional<std::int32_t, 0, 3>(r, v, p.rate_sort_position);
       },
       "SERVER_GATEWAY_ROUTE_FEE_RATE_SORT_CONFIG", "SS_GATEWAY_FEE_RATE_ROUTE_SORT_CONFIG"},
      {"rate_sort_before_quality", "boolean", "false",
       "Which goes first when both are at one place.", read_flag<&P::rate_sort_before_quality>,
       "SERVER_GATEWAY_ROUTE_FEE_RATE_BEFORE_QUALITY", "SS_GATEWAY_FEE_RATE_ROUTE_BEFORE_ASR"},
      {"protect_delay_s", "integer 0..180", "0",
       "Protect vendors are tried only so long after the call's arrival; 0: always (R-08).",
       read_seconds<&P::protect_delay_s, 0, 180>, "SS_TRY_PROTECT_ROUTE_DELAY"},
      {"vendor_balance_minimum", "decimal", "none",
       "A vendor whose account has less is passed over (R-18).",
       [](Reader& r, const Json& v, P& p) {
         if (is_none(v)) return;
         Amount minimum;
         if (r.amount(v, minimum)) p.vendor_balance_minimum = minimum;
       },
       "SERVER_VERIFY_CLEARING_CUSTOMER_REMAIN_MONEY_LIMIT"},
  };
  return fields;
}

// --- sections of the file ---

void read_listen(Reader& r, const Json& v, std::vector<ListenConfig>& listen) {
  r.each(v, [&](const Json& item) {
    std::string text;
    if (!r.string(item, text)) return;
    ListenConfig entry;
    std::string_view rest = text;
    if (rest.starts_with("udp:")) {
      rest.remove_prefix(4);
    } else if (rest.starts_with("tcp:")) {
      entry.transport = SipTransport::tcp;
      rest.remove_prefix(4);
    } else {
      r.fail("\"" + text + "\" is no listener: udp:IP:PORT or tcp:IP:PORT");
      return;
    }
    auto address = SocketAddress::parse(rest, 5060);
    if (!address) {
      r.fail(address.error().message);
      return;
    }
    entry.address = *address;
    listen.push_back(entry);
  });
}

const std::vector<Field<SwitchConfig>>& sip_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"listen", "array of udp:IP:PORT, tcp:IP:PORT", "required", "SIP listeners (P-01).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_listen(r, v, c.sip_listen);
         if (v.is_array() && v.empty()) r.fail("at least one listener is needed");
       }},
      {"workers", "integer 1..64", "1", "Call workers, each a thread.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.number(v, 1, 64, c.sip_workers); }},
  };
  return fields;
}

const std::vector<Field<SwitchConfig>>& media_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"address", "IP", "address of the first listener", "Address of relayed media.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         if (auto ip = IpAddress::parse(text)) {
           c.media_address = *ip;
         } else {
           r.fail(ip.error().message);
         }
       }},
      {"address6", "IPv6", "none", "IPv6 address of relayed media beside an IPv4 `address`.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         auto ip = IpAddress::parse(text);
         if (!ip || !ip->is_ipv6()) {
           r.fail("\"" + text + "\" is no IPv6 address");
         } else {
           c.media_address6 = *ip;
         }
       }},
      {"ports", "[low, high]", "[10000, 39999]", "Range of RTP and RTCP ports (M-02).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::vector<std::int64_t> ports;
         r.each(v, [&](const Json& item) {
           std::int64_t port = 0;
           if (r.integer(item, 1024, 65535, port)) ports.push_back(port);
         });
         if (!v.is_array()) return;
         if (v.size() != 2 || (ports.size() == 2 && ports[1] - ports[0] < 3)) {
           r.fail("expected [low, high] with room for four ports");
         } else if (ports.size() == 2) {
           c.media_port_low = static_cast<std::uint16_t>(ports[0]);
           c.media_port_high = static_cast<std::uint16_t>(ports[1]);
         }
       }},
      {"backend", "auto|portable", "auto", "How packets are relayed.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         if (text != "auto" && text != "portable") {
           r.fail("\"" + text + "\" is not one of auto, portable");
         } else {
           c.media_backend = text;
         }
       }},
      {"shards", "integer 1..64", "1", "Relay threads; a call stays on one of them.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.number(v, 1, 64, c.media_shards); }},
      {"nice", "integer -20..0", "-10",
       "Priority of the relay threads where the system allows it; 0: that of the program.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.number(v, -20, 0, c.media_nice); }},
  };
  return fields;
}

const std::vector<Field<SwitchConfig>>& admin_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"listen", "IP:PORT", "required", "Address of the admin API; absent: none.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         std::string text;
         if (!r.string(v, text)) return;
         if (auto address = SocketAddress::parse(text, 8080)) {
           c.admin_listen = *address;
         } else {
           r.fail(address.error().message);
         }
       }},
      {"token", "text", "none", "Bearer token; required off loopback.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.admin_token); }},
  };
  return fields;
}

const std::vector<Field<CdrSinkConfig>>& sink_fields() {
  static const std::vector<Field<CdrSinkConfig>> fields = {
      {"type", "sqlite|csv", "required", "Kind of sink (C-03, C-04).",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         if (r.string(v, s.type) && s.type != "sqlite" && s.type != "csv") {
           r.fail("\"" + s.type + "\" is not one of sqlite, csv");
         }
       }},
      {"path", "folder", "\"cdr\" beside the database", "Where its files go.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.string(v, s.path, 4096); }},
      {"header", "boolean", "true", "csv: a header line in each file.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) { r.boolean(v, s.header); }},
      {"format", "csv|vos", "csv", "csv: RFC 4180, or the 18 fields of C-04 with bars.",
       [](Reader& r, const Json& v, CdrSinkConfig& s) {
         if (r.string(v, s.format) && s.format != "csv" && s.format != "vos") {
           r.fail("\"" + s.format + "\" is not one of csv, vos");
         }
       }},
  };
  return fields;
}

const std::vector<Field<SwitchConfig>>& cdr_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"journal", "folder", "\"journal\"", "Where the journal's segments live.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.cdr_journal, 4096); }},
      {"sinks", "array", "[{\"type\": \"sqlite\"}]", "Where records go, see below.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         c.cdr_sinks.clear();
         r.each(v, [&](const Json& item) {
           CdrSinkConfig sink;
           read_object(r, item, sink_fields(), {"type"}, sink);
           c.cdr_sinks.push_back(std::move(sink));
         });
       }},
  };
  return fields;
}

/// One list of `provision`: which member holds it, which table reads its objects, and which member
/// names an object that was given no id (null: the id is required).
template <auto List, auto Fields, auto NaturalId = nullptr>
struct Listed {
  using Object =
      typename std::remove_reference_t<decltype(std::declval<Provision>().*List)>::value_type;

  static void read(Reader& r, const Json& v, Provision& p) {
    Object object;
    read_object(r, v, Fields(), {}, object);
    for (const auto& field : Fields()) {
      const bool is_required = std::string_view(field.otherwise) == "required";
      if (!is_required || !v.is_object() || v.contains(field.key)) continue;
      Reader::Step step(r, field.key);
      r.fail(std::string("missing \"") + field.key + "\"");
    }
    if constexpr (!std::is_null_pointer_v<decltype(NaturalId)>) {
      if (object.id.empty()) object.id = object.*NaturalId;
    }
    (p.*List).push_back(std::move(object));
  }
  static void upsert(Provision& base, const Provision& update) {
    auto& list = base.*List;
    std::unordered_map<std::string, std::size_t> places;
    if (!(update.*List).empty()) {
      for (std::size_t i = 0; i < list.size(); ++i)
        places.emplace(list[i].id, i);
    }
    for (const Object& object : update.*List) {
      const auto [place, is_new] = places.emplace(object.id, list.size());
      if (is_new) {
        list.push_back(object);
      } else {
        list[place->second] = object;
      }
    }
  }
  static bool erase(Provision& p, std::string_view id) {
    return std::erase_if(p.*List, [&](const Object& object) { return object.id == id; }) != 0;
  }
  static std::size_t size(const Provision& p) { return (p.*List).size(); }
  static const std::string& id_at(const Provision& p, std::size_t index) {
    return (p.*List)[index].id;
  }
  static std::vector<std::pair<std::string, std::string>> columns() {
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& field : Fields())
      found.emplace_back(field.key, field.type);
    return found;
  }
  static config::ProvisionKind kind(const char* name, const char* meaning) {
    return {name,   meaning, read,
            upsert, erase,   size,
            id_at,  columns, std::is_null_pointer_v<decltype(NaturalId)>};
  }
};

void read_provision(Reader& r, const Json& v, Provision& p) {
  if (!v.is_object()) {
    r.fail(std::string("expected an object, found ") + v.type_name());
    return;
  }
  for (auto list = v.begin(); list != v.end(); ++list) {
    Reader::Step step(r, list.key());
    const config::ProvisionKind* kind = config::find_provision_kind(list.key());
    if (kind == nullptr) {
      r.fail("unknown or not yet supported key \"" + list.key() + "\"");
    } else if (!list.value().is_null()) {
      std::set<std::string> ids;
      r.each(list.value(), [&](const Json& object) {
        config::read_provisioned(r, *kind, object, p);
        const std::string& id = kind->id_at(p, kind->size(p) - 1);
        if (!id.empty() && !ids.insert(id).second) {
          Reader::Step inner(r, "id");
          r.fail("\"" + id + "\" is there twice");
        }
      });
    }
  }
}

const std::vector<Field<SwitchConfig>>& top_fields() {
  static const std::vector<Field<SwitchConfig>> fields = {
      {"database", "path", "\"switch.db\"", "SQLite file with balances and provisioned objects.",
       [](Reader& r, const Json& v, SwitchConfig& c) { r.string(v, c.database, 4096); }},
      {"sip", "object", "required", "Signalling.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, sip_fields(), {"listen"}, c);
       }},
      {"media", "object", "{}", "Media relay.",
       [](Reader& r, const Json& v, SwitchConfig& c) { read_object(r, v, media_fields(), {}, c); }},
      {"admin", "object", "none", "Admin API.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, admin_fields(), {"listen"}, c);
       }},
      {"cdr", "object", "{}", "Journal and sinks.",
       [](Reader& r, const Json& v, SwitchConfig& c) { read_object(r, v, cdr_fields(), {}, c); }},
      {"parameters", "object", "{}", "Parameters, see below.",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         read_object(r, v, parameter_fields(), {}, c.parameters);
       }},
      {"provision", "object", "{}", "Accounts, decks and gateways; upserted at start.",
       [](Reader& r, const Json& v, SwitchConfig& c) { read_provision(r, v, c.provision); }},
      {"shadow", "object", "none",
       "Plan of a shadow that starts with the switch: decks, provision, remove, parameters, memo "
       "(docs/routing.md).",
       [](Reader& r, const Json& v, SwitchConfig& c) {
         if (v.is_object()) {
           c.shadow = v.dump(-1, ' ', false, Json::error_handler_t::replace);
         } else {
           r.fail(std::string("expected an object, found ") + v.type_name());
         }
       }},
      {"memo", "text", "\"\"", "Yours.",
       [](Reader& r, const Json& v, SwitchConfig&) { read_memo(r, v); }},
  };
  return fields;
}

template <class T>
void append_table(std::string& page, const char* title, const std::vector<Field<T>>& fields) {
  page +=
      std::string("\n## ") + title + "\n\n| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const auto& field : fields) {
    auto escaped = [](std::string text) {
      for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
        text.insert(at, "\\");
      return text;
    };
    std::string key = std::string("`") + field.key + "`";
    for (const char* alias : {field.alias, field.other_alias}) {
      if (alias != nullptr) key += std::string("<br>`") + alias + "`";
    }
    page += "| " + key + " | " + escaped(field.type) + " | " + escaped(field.otherwise) + " | " +
            escaped(field.meaning) + " |\n";
  }
}

/// The rows of the reference, nothing else.
std::vector<Field<Provision>> provision_fields() {
  std::vector<Field<Provision>> fields;
  for (const config::ProvisionKind& kind : config::provision_kinds())
    fields.push_back({kind.name, "array", "[]", kind.meaning, nullptr});
  return fields;
}

ConfigReading read(std::string_view text, const std::string& folder, bool looks_outside) {
  ConfigReading reading;
  reading.config.folder = folder.empty() ? "." : folder;
  reading.config.cdr_sinks.push_back({.type = "sqlite", .path = "cdr"});
  std::vector<std::string> repeated;
  const auto json = config::parse_json(text, config::Comments::allowed, repeated);
  if (!json) {
    reading.errors.push_back({"", json.error().message});
    return reading;
  }
  for (const auto& key : repeated)
    reading.errors.push_back({"", "key \"" + key + "\" is there twice"});
  Reader reader(reading.config.folder, reading.errors, looks_outside);
  read_object(reader, *json, top_fields(), {"sip"}, reading.config);
  for (auto& sink : reading.config.cdr_sinks) {
    if (sink.path.empty()) sink.path = "cdr";
  }
  check_config(reading.config, reading.errors);
  return reading;
}

}  // namespace

const std::vector<config::ProvisionKind>& config::provision_kinds() {
  using P = Provision;
  static const std::vector<ProvisionKind> kinds = {
      Listed<&P::accounts, account_fields>::kind("accounts", "Accounts."),
      Listed<&P::rate_decks, deck_fields>::kind("rate_decks", "Tariffs."),
      Listed<&P::customer_gateways, customer_fields>::kind("customer_gateways",
                                                           "Where calls come from."),
      Listed<&P::vendor_gateways, vendor_fields>::kind("vendor_gateways", "Where calls go."),
      Listed<&P::gateway_groups, gateway_group_fields>::kind("gateway_groups",
                                                             "Gateways that share lines."),
      Listed<&P::number_groups, number_group_fields>::kind("number_groups",
                                                           "Named lists of numbers."),
      Listed<&P::calendars, calendar_fields>::kind("calendars", "Classes of days."),
      Listed<&P::number_transforms, number_transform_fields, &NumberTransform::number>::kind(
          "number_transforms", "Numbers that are called otherwise elsewhere."),
      Listed<&P::mobile_areas, mobile_area_fields, &MobileArea::prefix>::kind(
          "mobile_areas", "Where mobile numbers are at home."),
      Listed<&P::lrn_resolvers, lrn_resolver_fields>::kind("lrn_resolvers",
                                                           "Who knows where ported numbers are."),
  };
  return kinds;
}

const config::ProvisionKind* config::find_provision_kind(std::string_view name) {
  for (const ProvisionKind& kind : provision_kinds()) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

void config::read_provisioned(Reader& reader, const ProvisionKind& kind, const Json& object,
                              Provision& into) {
  kind.read(reader, object, into);
  const std::string& id = kind.id_at(into, kind.size(into) - 1);
  if (id.empty()) return;
  Json shown = Json::object();
  for (auto item = object.begin(); item != object.end(); ++item) {
    if (item.key() != "rates") shown[item.key()] = item.value();
  }
  into.documents[kind.name][id] = shown.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void config::read_parameters(Reader& reader, const Json& object, Parameters& into) {
  read_object(reader, object, parameter_fields(), {}, into);
}

void config::upsert(Provision& base, const Provision& update) {
  for (const ProvisionKind& kind : provision_kinds()) {
    kind.upsert(base, update);
    // What a host gave as a structure has no text, and must not keep that of its predecessor.
    if (const auto old = base.documents.find(kind.name); old != base.documents.end()) {
      for (std::size_t i = 0; i < kind.size(update); ++i)
        old->second.erase(kind.id_at(update, i));
    }
  }
  for (const auto& [kind, documents] : update.documents) {
    for (const auto& [id, json] : documents)
      base.documents[kind].insert_or_assign(id, json);
  }
}

ConfigReading read_config(std::string_view text, const std::string& folder) {
  return read(text, folder, true);
}

ConfigReading read_config_alone(std::string_view text) { return read(text, ".", false); }

ConfigReading read_config_file(const std::string& path) {
  ConfigReading reading;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.view().size() > config_bytes_max) {
    reading.errors.push_back({"", file ? "file is larger than 256 MiB" : "could not be read"});
    return reading;
  }
  const auto slash = path.rfind('/');
  return read_config(text.view(), slash == std::string::npos ? "."
                                  : slash == 0               ? "/"
                                                             : path.substr(0, slash));
}

std::string config_reference_markdown() {
  std::string page =
      "# Configuration reference\n\nMade from the tables of the parser (`tandem-switch check "
      "--reference`). One JSON "
      "file; comments are allowed; a key\nthat is not in these tables is an error that names its "
      "JSON pointer. Money "
      "and prices are decimal strings, times\nRFC 3339 or `YYYY-MM-DD` (UTC). `null` means the "
      "default.\n";
  append_table(page, "The file", top_fields());
  append_table(page, "`sip`", sip_fields());
  append_table(page, "`media`", media_fields());
  append_table(page, "`admin`", admin_fields());
  append_table(page, "`cdr`", cdr_fields());
  append_table(page, "`cdr.sinks[]`", sink_fields());
  append_table(page, "`parameters` (VOS names are aliases)", parameter_fields());
  append_table(page, "`provision`", provision_fields());
  append_table(page, "`accounts[]`", account_fields());
  append_table(page, "`rate_decks[]`", deck_fields());
  append_table(page, "`rates[]`, also the columns of a deck file", rate_fields());
  append_table(page, "`sections[]` of a rate", section_fields());
  append_table(page, "`tiers[]` of a rate or window", tier_fields());
  append_table(page, "`windows[]` of a rate", window_fields());
  append_table(page, "`customer_gateways[]`", customer_fields());
  append_table(page, "`vendor_gateways[]`", vendor_fields());
  append_table(page, "`auth` of a gateway", auth_fields());
  append_table(page, "`split[]` of a customer gateway", split_fields());
  append_table(page, "`lrn` of a customer gateway (VOS names are aliases)", lrn_fields());
  append_table(page, "`switch` of a vendor gateway", switching_fields());
  append_table(page, "`caller_pool` of a vendor gateway", caller_pool_fields());
  append_table(page, "`periods[]` of a vendor gateway", period_fields());
  append_table(page, "`gateway_groups[]`", gateway_group_fields());
  append_table(page, "`members[]` of a gateway group", member_fields());
  append_table(page, "`periods[]` of a gateway group", group_period_fields());
  append_table(page, "`number_groups[]`", number_group_fields());
  append_table(page, "`calendars[]`", calendar_fields());
  append_table(page, "`number_transforms[]`", number_transform_fields());
  append_table(page, "`mobile_areas[]`", mobile_area_fields());
  append_table(page, "`lrn_resolvers[]`", lrn_resolver_fields());
  return page;
}

}  // namespace tandem
