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
bool take_packages(std::string_view bytes, std::vector<PackageUse::Part>& parts) {
  WireReader reader(bytes);
  const std::uint64_t count = reader.is_at_end() ? 0 : reader.number();
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
  std::string parts;
  if (!record.packages.empty()) {
    WireWriter writer(parts);
    writer.number(record.packages.size());
    for (const PackageUse::Part& part : record.packages) {
      writer.text(part.order);
      writer.integer(part.period_start_us);
      writer.integer(part.gift);
      writer.integer(part.seconds);
      writer.integer(part.money.units());
      writer.integer(part.spend.units());
    }
  }
  return encode_with_cdr(record.call_id, record.cdr, parts);
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
  const bool is_whole = take_packages(reader.text(), record.packages);
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
  const bool is_whole = take_packages(reader.text(), parts);
  if (payload.empty() || reader.is_bad() || !is_whole) return malformed("end");
  return parts;
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

Result<std::uint64_t> decode_call_id(std::string_view payload) {
  WireReader reader(payload);
  const std::uint64_t call_id = reader.number();
  if (payload.empty() || reader.is_bad()) return malformed("call");
  return call_id;
}

}  // namespace tandem::cdr
