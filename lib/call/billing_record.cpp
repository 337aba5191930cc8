#include "call/billing_record.hpp"

#include <cstdint>
#include <cstring>

namespace tandem::call {

namespace {

constexpr std::int64_t layout = 1;
constexpr std::int64_t sections_max = static_cast<std::int64_t>(rate_sections_max);

class Writer {
 public:
  void number(
      std::int64_t value) {  // little endian, fixed width: written once a call, read after a crash
    for (int shift = 0; shift < 64; shift += 8)
      bytes_ += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
  }
  void text(const std::string& value) {
    number(static_cast<std::int64_t>(value.size()));
    bytes_ += value;
  }
  void rate(const Rate& rate) {
    text(rate.prefix);
    number(rate.price.units());
    number(rate.per_s);
    number(rate.first_s);
    number(rate.next_s);
    number(rate.connection_fee.units());
    number(rate.minimum.units());
    number(static_cast<std::int64_t>(rate.sections.size()));
    for (const RateSection& section : rate.sections) {
      number(section.price.units());
      number(section.seconds);
    }
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::int64_t number() {
    if (bytes_.size() < 8) {
      is_good_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)]);
    bytes_.remove_prefix(8);
    return static_cast<std::int64_t>(value);
  }
  std::string text() {
    const std::int64_t size = number();
    if (size < 0 || static_cast<std::uint64_t>(size) > bytes_.size()) {
      is_good_ = false;
      return {};
    }
    std::string value(bytes_.substr(0, static_cast<std::size_t>(size)));
    bytes_.remove_prefix(static_cast<std::size_t>(size));
    return value;
  }
  Amount amount() { return Amount::from_units(number()); }
  Rate rate() {
    Rate rate;
    rate.prefix = text();
    rate.price = amount();
    rate.per_s = number();
    rate.first_s = number();
    rate.next_s = number();
    rate.connection_fee = amount();
    rate.minimum = amount();
    const std::int64_t sections = number();
    if (sections < 0 || sections > sections_max) is_good_ = false;
    for (std::int64_t i = 0; is_good_ && i < sections; ++i) {
      const Amount price = amount();
      rate.sections.push_back({price, number()});
    }
    return rate;
  }
  [[nodiscard]] bool is_good() const { return is_good_; }

 private:
  std::string_view bytes_;
  bool is_good_ = true;
};

}  // namespace

std::string encode(const BillingTerms& terms) {
  Writer writer;
  writer.number(layout);
  writer.number(terms.rules.precision);
  writer.number(terms.rules.unit.units());
  writer.number(static_cast<std::int64_t>(terms.rules.rounding));
  writer.number(terms.rules.hold_time_precision_ms);
  writer.number(terms.rules.free_time_s);
  writer.number((terms.has_customer_rate ? 1 : 0) | (terms.has_vendor_rate ? 2 : 0));
  if (terms.has_customer_rate) writer.rate(terms.customer_rate);
  if (terms.has_vendor_rate) writer.rate(terms.vendor_rate);
  return writer.take();
}

Result<BillingTerms> decode_billing_terms(std::string_view bytes) {
  Reader reader(bytes);
  BillingTerms terms;
  if (reader.number() != layout)
    return Error{ErrorCode::corrupt, "billing terms have another layout"};
  terms.rules.precision = static_cast<int>(reader.number());
  terms.rules.unit = reader.amount();
  terms.rules.rounding = static_cast<FeeRounding>(reader.number());
  terms.rules.hold_time_precision_ms = static_cast<int>(reader.number());
  terms.rules.free_time_s = reader.number();
  const std::int64_t present = reader.number();
  terms.has_customer_rate = (present & 1) != 0;
  terms.has_vendor_rate = (present & 2) != 0;
  if (terms.has_customer_rate) terms.customer_rate = reader.rate();
  if (terms.has_vendor_rate) terms.vendor_rate = reader.rate();
  if (!reader.is_good()) return Error{ErrorCode::corrupt, "billing terms were cut"};
  if (auto rules = check_fee_rules(terms.rules); !rules)
    return Error{ErrorCode::corrupt, rules.error().message};
  for (const Rate* rate : {&terms.customer_rate, &terms.vendor_rate}) {
    if (auto valid = check_rate(*rate); !valid)
      return Error{ErrorCode::corrupt, valid.error().message};
  }
  return terms;
}

Result<cdr::EndRecord> close_after_crash(const cdr::OpenCall& open) {
  auto terms = decode_billing_terms(open.answer.rating);
  if (!terms) return terms.error();
  cdr::EndRecord record{open.answer.call_id, open.answer.cdr};
  Cdr& cdr = record.cdr;
  cdr.talk_time_ms = open.last_mark ? open.last_mark->talk_time_ms : 0;
  cdr.ended_at_us = open.last_mark ? open.last_mark->at_us : cdr.answered_at_us;
  cdr.end_reason = Reason::ServerCrash;
  cdr.end_code = static_cast<int>(Reason::ServerCrash);
  cdr.q850_cause = reason_facts(Reason::ServerCrash).q850_cause;
  cdr.release_side = ReleaseSide::server;
  cdr.sip_status = 200;
  if (!cdr.attempts.empty()) cdr.attempts.back().ended_at_us = cdr.ended_at_us;
  if (terms->has_customer_rate) {
    auto charge = rate_call(terms->customer_rate, cdr.talk_time_ms, terms->rules);
    if (!charge) return charge.error();
    cdr.customer.charge = charge->charge;
    cdr.customer.billed_time_s = charge->billed_time_s;
  }
  if (terms->has_vendor_rate && cdr.vendor) {
    auto charge = rate_call(terms->vendor_rate, cdr.talk_time_ms, terms->rules);
    if (!charge) return charge.error();
    cdr.vendor->charge = charge->charge;
    cdr.vendor->billed_time_s = charge->billed_time_s;
  }
  return record;
}

}  // namespace tandem::call
