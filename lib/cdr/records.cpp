#include "cdr/records.hpp"

#include <utility>

#include "cdr/cdr_codec.hpp"
#include "cdr/wire.hpp"

namespace tandem::cdr {
namespace {

Error malformed(const char* kind) {
  return Error{ErrorCode::corrupt,
               std::string("the payload of a ") + kind + " record was malformed"};
}

/// What stands behind the CDR of an end record: nothing in those of before there were packages.
bool take_packages(WireReader& reader, std::vector<PackageUse::Part>& parts) {
  const std::uint64_t count = reader.count(6);
  for (std::uint64_t i = 0; i < count && !reader.is_bad(); ++i) {
    PackageUse::Part& part = parts.emplace_back();
    part.order = reader.text();
    part.period_start_us = reader.integer();
    part.gift = static_cast<std::int32_t>(reader.integer_in(-1, package_gifts_max));
    part.seconds = reader.integer();
    part.money = Amount::from_units(reader.integer());
    part.spend = Amount::from_units(reader.integer());
  }
  return !reader.is_bad();
}

void put_limits(WireWriter& writer, const std::vector<LimitUse>& limits) {
  writer.number(limits.size());
  for (const LimitUse& use : limits) {
    writer.text(use.account);
    writer.text(use.limit);
    writer.integer(use.start_us);
    writer.integer(use.until_us - use.start_us);
    writer.integer(use.charge.units());
    writer.integer(use.talk_s);
    writer.integer(use.calls);
  }
}

/// Nothing in records of before there were limits.
bool take_limits(WireReader& reader, std::vector<LimitUse>& limits) {
  constexpr std::int64_t window_us_max = std::int64_t{32} * 86'400 * 1'000'000;
  const std::uint64_t count = reader.count(7);
  for (std::uint64_t i = 0; i < count && !reader.is_bad(); ++i) {
    LimitUse& use = limits.emplace_back();
    use.account = reader.text();
    use.limit = reader.text();
    use.start_us = reader.integer_in(INT64_MIN, INT64_MAX - window_us_max);
    use.until_us = use.start_us + reader.integer_in(0, window_us_max);
    use.charge = Amount::from_units(reader.integer_in(0, INT64_MAX));
    use.talk_s = reader.integer_in(0, INT64_MAX);
    use.calls = reader.integer_in(0, 1);
  }
  return !reader.is_bad();
}

std::string encode_with_cdr(std::uint64_t call_id, const Cdr& cdr, std::string_view tail) {
  std::string body;
  body.reserve(512);
  encode_cdr(cdr, body);
  std::string out;
  out.reserve(body.size() + tail.size() + 24);
  WireWriter writer(out);
  writer.number(call_id);
  writer.text(body);
  writer.text(tail);
  return out;
}

}  // namespace

std::string encode(const AnswerRecord& record) {
  return encode_with_cdr(record.call_id, record.cdr, record.rating);
}

std::string encode(const EndRecord& record) {
  std::string tail;
  const bool has_limits = !record.limits.empty() || !record.flow_number.empty();
  if (!record.packages.empty() || has_limits) {
    WireWriter writer(tail);
    writer.number(record.packages.size());
    for (const PackageUse::Part& part : record.packages) {
      writer.text(part.order);
      writer.integer(part.period_start_us);
      writer.integer(part.gift);
      writer.integer(part.seconds);
      writer.integer(part.money.units());
      writer.integer(part.spend.units());
    }
    if (has_limits) put_limits(writer, record.limits);
    if (!record.flow_number.empty()) writer.text(record.flow_number);
  }
  return encode_with_cdr(record.call_id, record.cdr, tail);
}

std::string encode(const std::vector<LimitUse>& limits) {
  std::string bytes;
  WireWriter writer(bytes);
  put_limits(writer, limits);
  return bytes;
}

std::string encode(const MarkRecord& record) {
  std::string out;
  WireWriter writer(out);
  writer.number(record.call_id);
  writer.integer(record.at_us);
  writer.integer(record.talk_time_ms);
  writer.text(record.charge);
  return out;
}

std::string encode(const PaymentRecord& record) {
  std::string out;
  WireWriter writer(out);
  writer.text(record.account);
  writer.integer(record.amount.units());
  writer.text(record.memo);
  writer.text(record.idempotency_id);
  writer.integer(record.at_us);
  writer.number(static_cast<std::uint64_t>(record.kind));
  writer.text(record.reference);
  writer.integer(record.answered.units());
  return out;
}

std::string encode(const PackageRecord& record) {
  std::string out;
  WireWriter writer(out);
  writer.text(record.order);
  writer.number(record.is_open ? 1 : 0);
  writer.integer(record.period_start_us);
  writer.text(record.change);
  return out;
}

std::string encode(const Correction& correction) {
  std::string out;
  WireWriter writer(out);
  writer.number(correction.record_id);
  writer.integer(correction.ended_at_us);
  writer.integer(correction.at_us);
  writer.text(correction.reason);
  writer.text(correction.author);
  writer.text(correction.idempotency_key);
  writer.number(correction.sides.size());
  for (const CorrectedSide& side : correction.sides) {
    writer.integer(static_cast<std::int64_t>(side.side));
    writer.text(side.account);
    writer.text(side.currency);
    writer.integer(side.charge_before.units());
    writer.integer(side.charge.units());
    writer.integer(side.billed_before_s);
    writer.integer(side.billed_time_s);
    writer.text(side.rate_prefix);
    writer.text(side.rate_deck);
    writer.text(side.rate_terms);
  }
  return out;
}

Result<AnswerRecord> decode_answer(std::string_view payload) {
  WireReader reader(payload);
  AnswerRecord record;
  record.call_id = reader.number();
  Result<Cdr> cdr = decode_cdr(reader.text());
  record.rating = reader.text();
  if (payload.empty() || reader.is_bad()) return malformed("answer");
  if (!cdr) return std::move(cdr).error();
  record.cdr = std::move(*cdr);
  return record;
}

Result<MarkRecord> decode_mark(std::string_view payload) {
  WireReader reader(payload);
  MarkRecord record;
  record.call_id = reader.number();
  record.at_us = reader.integer();
  record.talk_time_ms = reader.integer();
  record.charge = reader.text();
  if (payload.empty() || reader.is_bad()) return malformed("mark");
  return record;
}

Result<EndRecord> decode_end(std::string_view payload, std::uint64_t sequence) {
  WireReader reader(payload);
  EndRecord record;
  record.call_id = reader.number();
  Result<Cdr> cdr = decode_cdr(reader.text());
  WireReader tail(reader.text());
  bool is_whole = take_packages(tail, record.packages) && take_limits(tail, record.limits);
  record.flow_number = tail.text();
  is_whole = is_whole && !tail.is_bad();
  if (payload.empty() || reader.is_bad() || !is_whole) return malformed("end");
  if (!cdr) return std::move(cdr).error();
  record.cdr = std::move(*cdr);
  record.cdr.record_id = sequence;
  return record;
}

Result<std::vector<PackageUse::Part>> decode_end_packages(std::string_view payload) {
  WireReader reader(payload);
  std::vector<PackageUse::Part> parts;
  (void)reader.number();
  (void)reader.text();
  WireReader tail(reader.text());
  const bool is_whole = take_packages(tail, parts);
  if (payload.empty() || reader.is_bad() || !is_whole) return malformed("end");
  return parts;
}

Result<std::vector<LimitUse>> decode_limits(std::string_view bytes) {
  WireReader reader(bytes);
  std::vector<LimitUse> limits;
  if (!take_limits(reader, limits) || !reader.is_at_end())
    return Error{ErrorCode::corrupt, "the limits of a call were malformed"};
  return limits;
}

Result<PaymentRecord> decode_payment(std::string_view payload) {
  WireReader reader(payload);
  PaymentRecord record;
  record.account = reader.text();
  record.amount = Amount::from_units(reader.integer());
  record.memo = reader.text();
  record.idempotency_id = reader.text();
  record.at_us = reader.integer();
  // Records of before there were kinds end here.
  record.kind = record.amount.is_negative() ? LedgerKind::deduction : LedgerKind::payment;
  if (!reader.is_at_end()) {
    const std::uint64_t kind = reader.number();
    if (kind > UINT8_MAX || *ledger_kind_name(static_cast<LedgerKind>(kind)) == '\0')
      return Error{ErrorCode::unsupported,
                   "kind " + std::to_string(kind) + " of a payment record was unknown"};
    record.kind = static_cast<LedgerKind>(kind);
    record.reference = reader.text();
    record.answered = Amount::from_units(reader.integer());
  }
  if (payload.empty() || reader.is_bad()) return malformed("payment");
  return record;
}

Result<PackageRecord> decode_package(std::string_view payload) {
  WireReader reader(payload);
  PackageRecord record;
  record.order = reader.text();
  record.is_open = reader.number() != 0;
  record.period_start_us = reader.integer();
  record.change = reader.text();
  if (payload.empty() || reader.is_bad()) return malformed("package");
  return record;
}

Result<Correction> decode_correction(std::string_view payload, std::uint64_t sequence) {
  WireReader reader(payload);
  Correction correction;
  correction.id = sequence;
  correction.record_id = reader.number();
  correction.ended_at_us = reader.integer();
  correction.at_us = reader.integer();
  correction.reason = reader.text();
  correction.author = reader.text();
  correction.idempotency_key = reader.text();
  const std::uint64_t count = reader.count(10);
  for (std::uint64_t i = 0; i < count && !reader.is_bad(); ++i) {
    CorrectedSide& side = correction.sides.emplace_back();
    side.side = static_cast<CallSide>(reader.integer_in(1, 3));
    side.account = reader.text();
    side.currency = reader.text();
    side.charge_before = Amount::from_units(reader.integer_in(0, INT64_MAX));
    side.charge = Amount::from_units(reader.integer_in(0, INT64_MAX));
    side.billed_before_s = reader.integer();
    side.billed_time_s = reader.integer();
    side.rate_prefix = reader.text();
    side.rate_deck = reader.text();
    side.rate_terms = reader.text();
  }
  if (payload.empty() || reader.is_bad()) return malformed("correction");
  return correction;
}

Result<std::uint64_t> decode_call_id(std::string_view payload) {
  WireReader reader(payload);
  const std::uint64_t call_id = reader.number();
  if (payload.empty() || reader.is_bad()) return malformed("call");
  return call_id;
}

}  // namespace tandem::cdr
