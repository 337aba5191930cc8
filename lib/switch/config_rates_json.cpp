// Keys of accounts, tariffs and their rates.
#include <iterator>
#include <string>
#include <utility>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

namespace {

void read_tiers(Reader& r, const Json& v, std::vector<RateTier>& tiers) {
  r.each(v, [&](const Json& item) {
    RateTier tier;
    read_object(r, item, tier_fields(), {"from_s", "price"}, tier);
    tiers.push_back(tier);
  });
}

}  // namespace

void read_phone_book(Reader& r, const Json& v, std::vector<ShortNumber>& book) {
  if (!v.is_object()) {
    r.fail("expected an object of short numbers and numbers");
    return;
  }
  if (v.size() > phone_book_max)
    r.fail(std::to_string(v.size()) + " short numbers are more than " +
           std::to_string(phone_book_max));
  for (auto item = v.begin(); item != v.end(); ++item) {
    Reader::Step step(r, item.key());
    ShortNumber entry{item.key(), {}};
    if (!is_number(item.key())) {
      r.fail("\"" + item.key() + "\" is no number");
      continue;
    }
    read_number(r, item.value(), entry.number);
    if (!entry.number.empty()) book.push_back(std::move(entry));
  }
}

void read_monthly(Reader& r, const Json& v, Amount& out) {
  if (!r.amount(v, out)) return;
  if (out.is_negative() || out > account_amount_max)
    r.fail(out.to_string() + " is not in 0.." + account_amount_max.to_string());
}

const std::vector<Field<RateSection>>& section_fields() {
  static const std::vector<Field<RateSection>> fields = {
      {"price", "decimal", "required", "Price of the section (B-05).",
       [](Reader& r, const Json& v, RateSection& s) { r.amount(v, s.price); }},
      {"seconds", "integer 0..86400", "required", "Length; 0 makes it a connection fee.",
       [](Reader& r, const Json& v, RateSection& s) { r.number(v, 0, 86400, s.seconds); }},
  };
  return fields;
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
      {"kind", "customer|clearing|agent|card", "customer",
       "A clearing account is a vendor's; it may go below its limit. An agent pays for the calls "
       "of its customers too, by its own `rate_deck` (B-17). A card was paid in advance: it has no "
       "overdraft, no agent and no packages, and calls find it by its `bound_numbers` (B-02).",
       [](Reader& r, const Json& v, AccountConfig& a) {
         r.choice<AccountKind>(v,
                               {{"customer", AccountKind::customer},
                                {"clearing", AccountKind::clearing},
                                {"agent", AccountKind::agent},
                                {"card", AccountKind::card}},
                               a.kind);
       }},
      {"agent", "id", "none",
       "Of a customer: the account of kind `agent` that is charged for its calls too (B-17).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_id(r, v, a.agent); }},
      {"locked", "boolean", "false", "Calls are refused, `AccountLocked`.",
       [](Reader& r, const Json& v, AccountConfig& a) { r.boolean(v, a.locked); }},
      {"record", "boolean", "false", "Answered calls that it pays for are recorded (M-15).",
       [](Reader& r, const Json& v, AccountConfig& a) { r.boolean(v, a.record); }},
      {"reminder", "object", "none",
       "What is heard before the end of calls that it pays for, see below (M-14).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_reminder(r, v, a.reminder); }},
      {"valid_until", "time", "for ever", "From then on calls are refused, `AccountExpired`.",
       [](Reader& r, const Json& v, AccountConfig& a) { r.time(v, a.valid_until_us); }},
      {"call_level", "internal|local|domestic|international", "no restriction",
       "What it may call (N-07).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_call_level(r, v, a.call_level); }},
      {"tax_percent", "decimal 0..1000", "\"0\"",
       "On top of its charges, before the rounding, for rates that say none.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_tax(r, v, a.tax_percent); }},
      {"monthly_money_minimum", "decimal >= 0", "\"0\"",
       "What the charges of a month are below it is owed at its end (B-18).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_monthly(r, v, a.monthly.minimum); }},
      {"monthly_money_maximum", "decimal >= 0", "\"0\"",
       "Once the charges of a month have come to it calls are refused; 0: no bound.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_monthly(r, v, a.monthly.maximum); }},
      {"monthly_rent_fee", "decimal >= 0", "\"0\"", "Owed at the start of each month.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_monthly(r, v, a.monthly.rent); }},
      {"bound_numbers", "array of numbers", "[]",
       "Callers whose calls it pays for, at customer gateways with `use_bound_numbers` (B-04).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_numbers(r, v, a.bound_numbers); }},
      {"phone_book", "object of short numbers and numbers", "{}",
       "What its phones and gateways may dial instead, `{\"21\": \"442071110000\"}` (T-15).",
       [](Reader& r, const Json& v, AccountConfig& a) { read_phone_book(r, v, a.phone_book); }},
      {"limits", "array", "[]",
       "At most so much money, talk or so many calls in an hour, a day or a month, see below.",
       [](Reader& r, const Json& v, AccountConfig& a) { read_account_limits(r, v, a.limits); }},
      {"memo", "text", "\"\"", "Yours.",
       [](Reader& r, const Json& v, AccountConfig&) { read_memo(r, v); }},
  };
  return fields;
}

}  // namespace tandem::config
