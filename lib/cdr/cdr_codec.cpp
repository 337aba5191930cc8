#include "cdr/cdr_codec.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "cdr/wire.hpp"

namespace tandem::cdr {
namespace {

// Raised only when old readers must not try; added fields do not raise it.
constexpr std::uint64_t format = 1;

void put_optional(WireWriter& writer, const std::optional<std::string>& value) {
  writer.number(value ? 1 : 0);
  if (value) writer.text(*value);
}

std::optional<std::string> take_optional(WireReader& reader) {
  if (reader.number() == 0) return std::nullopt;
  return std::string(reader.text());
}

int take_int(WireReader& reader) {
  return static_cast<int>(
      reader.integer_in(std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

Reason take_reason(WireReader& reader) {
  return static_cast<Reason>(reader.integer_in(std::numeric_limits<std::int16_t>::min(),
                                               std::numeric_limits<std::int16_t>::max()));
}

void put_charge(WireWriter& writer, const ChargeFacts& charge, std::string& scratch) {
  scratch.clear();
  WireWriter inner(scratch);
  inner.text(charge.account);
  inner.integer(charge.charge.units());
  inner.integer(charge.billed_time_s);
  inner.text(charge.rate_prefix);
  inner.text(charge.currency);
  inner.text(charge.rate_deck);
  inner.text(charge.rate_terms);
  inner.integer(charge.package_charge.units());
  inner.integer(charge.package_time_s);
  writer.text(scratch);
}

ChargeFacts take_charge(WireReader& outer, bool& is_bad) {
  WireReader reader(outer.text());
  ChargeFacts charge;
  charge.account = reader.text();
  charge.charge = Amount::from_units(reader.integer());
  charge.billed_time_s = reader.integer();
  charge.rate_prefix = reader.text();
  charge.currency = reader.text();
  if (!reader.is_at_end()) charge.rate_deck = reader.text();
  if (!reader.is_at_end()) charge.rate_terms = reader.text();
  if (!reader.is_at_end()) charge.package_charge = Amount::from_units(reader.integer());
  if (!reader.is_at_end()) charge.package_time_s = reader.integer();
  is_bad |= reader.is_bad();
  return charge;
}

void put_media(WireWriter& writer, const MediaSideStats& side, std::string& scratch) {
  scratch.clear();
  WireWriter inner(scratch);
  inner.number(side.packets_received);
  inner.number(side.bytes_received);
  inner.number(side.packets_sent);
  inner.number(side.packets_lost);
  inner.number(side.jitter_us);
  inner.number(side.packets_refused);
  inner.text(side.remote);
  inner.number(static_cast<std::uint64_t>(side.cause));
  inner.text(side.signalled);
  inner.number(side.digits);
  inner.number(side.packets_unnegotiated);
  inner.number(side.reported_lost);
  inner.number(side.reported_jitter_us);
  inner.number(side.srtp_failures);
  inner.number(side.jitter_late);
  inner.number(side.jitter_lost);
  inner.number(side.jitter_depth_ms);
  writer.text(scratch);
}

MediaSideStats take_media(WireReader& outer, bool& is_bad) {
  WireReader reader(outer.text());
  MediaSideStats side;
  side.packets_received = reader.number();
  side.bytes_received = reader.number();
  side.packets_sent = reader.number();
  side.packets_lost = reader.number();
  const auto take_u32 = [&reader, &is_bad] {
    const std::uint64_t number = reader.number();
    is_bad |= number > std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(number);
  };
  side.jitter_us = take_u32();
  side.packets_refused = reader.number();
  side.remote = reader.text();
  if (!reader.is_at_end()) {
    const std::uint64_t cause = reader.number();
    // One of a newer release is none of ours.
    if (cause <= static_cast<std::uint64_t>(MediaCause::fingerprint_mismatch))
      side.cause = static_cast<MediaCause>(cause);
    side.signalled = reader.text();
    side.digits = take_u32();
    side.packets_unnegotiated = reader.number();
    side.reported_lost = reader.number();
    side.reported_jitter_us = take_u32();
    if (!reader.is_at_end()) side.srtp_failures = reader.number();
    if (!reader.is_at_end()) {
      side.jitter_late = take_u32();
      side.jitter_lost = take_u32();
      side.jitter_depth_ms = take_u32();
    }
  }
  is_bad |= reader.is_bad();
  return side;
}

void put_attempt(WireWriter& writer, const Attempt& attempt, std::int64_t base_us,
                 std::string& scratch) {
  scratch.clear();
  WireWriter inner(scratch);
  inner.text(attempt.vendor_gateway);
  inner.integer(attempt.sip_status);
  inner.integer(attempt.q850_cause);
  inner.integer(static_cast<std::int64_t>(attempt.reason));
  inner.time(attempt.started_at_us, base_us);
  inner.time(attempt.ended_at_us, base_us);
  inner.text(attempt.caller_out);
  inner.text(attempt.callee_out);
  writer.text(scratch);
}

Attempt take_attempt(WireReader& outer, std::int64_t base_us, bool& is_bad) {
  WireReader reader(outer.text());
  Attempt attempt;
  attempt.vendor_gateway = reader.text();
  attempt.sip_status = take_int(reader);
  attempt.q850_cause = take_int(reader);
  attempt.reason = take_reason(reader);
  attempt.started_at_us = reader.time(base_us);
  attempt.ended_at_us = reader.time(base_us);
  attempt.caller_out = reader.text();
  attempt.callee_out = reader.text();
  is_bad |= reader.is_bad();
  return attempt;
}

}  // namespace

void encode_cdr(const Cdr& cdr, std::string& out) {
  WireWriter writer(out);
  std::string scratch;
  writer.number(format);
  writer.text(cdr.call_id);
  put_optional(writer, cdr.customer_gateway);
  put_optional(writer, cdr.vendor_gateway);
  for (const std::string* text :
       {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product, &cdr.callee_product, &cdr.caller_in,
        &cdr.caller, &cdr.caller_out, &cdr.callee_in, &cdr.callee, &cdr.callee_out}) {
    writer.text(*text);
  }
  writer.integer(cdr.started_at_us);
  writer.time(cdr.answered_at_us, cdr.started_at_us);
  writer.time(cdr.ended_at_us, cdr.started_at_us);
  writer.integer(cdr.pdd_ms);
  writer.integer(cdr.talk_time_ms);
  put_charge(writer, cdr.customer, scratch);
  writer.number(cdr.vendor ? 1 : 0);
  if (cdr.vendor) put_charge(writer, *cdr.vendor, scratch);
  writer.integer(static_cast<std::int64_t>(cdr.end_reason));
  writer.integer(cdr.end_code);
  writer.integer(cdr.sip_status);
  writer.integer(cdr.q850_cause);
  writer.number(static_cast<std::uint64_t>(cdr.release_side));
  writer.number(cdr.attempts.size());
  for (const Attempt& attempt : cdr.attempts) {
    put_attempt(writer, attempt, cdr.started_at_us, scratch);
  }
  writer.number(cdr.media_relayed ? 1 : 0);
  put_media(writer, cdr.media_caller, scratch);
  put_media(writer, cdr.media_callee, scratch);
  for (const std::string* text : {&cdr.lrn, &cdr.callee_region, &cdr.caller_region})
    writer.text(*text);
  writer.number(cdr.agent ? 1 : 0);
  if (cdr.agent) put_charge(writer, *cdr.agent, scratch);
  writer.text(cdr.choices);
  for (const std::string* text : {&cdr.codecs.negotiated, &cdr.codecs.caller, &cdr.codecs.callee})
    writer.text(*text);
  writer.text(cdr.recording);
  writer.number(static_cast<std::uint64_t>(cdr.call_level));
}

Result<Cdr> decode_cdr(std::string_view bytes) {
  WireReader reader(bytes);
  const std::uint64_t found_format = reader.number();
  if (found_format > format && !reader.is_bad()) {
    return Error{ErrorCode::unsupported,
                 "a CDR had format " + std::to_string(found_format) + ", this release reads 1"};
  }
  Cdr cdr;
  bool is_bad = found_format == 0;
  cdr.call_id = reader.text();
  cdr.customer_gateway = take_optional(reader);
  cdr.vendor_gateway = take_optional(reader);
  for (std::string* text :
       {&cdr.caller_ip, &cdr.callee_ip, &cdr.caller_product, &cdr.callee_product, &cdr.caller_in,
        &cdr.caller, &cdr.caller_out, &cdr.callee_in, &cdr.callee, &cdr.callee_out}) {
    *text = reader.text();
  }
  cdr.started_at_us = reader.integer();
  cdr.answered_at_us = reader.time(cdr.started_at_us);
  cdr.ended_at_us = reader.time(cdr.started_at_us);
  cdr.pdd_ms = reader.is_at_end() ? -1 : reader.integer();
  cdr.talk_time_ms = reader.integer();
  cdr.customer = take_charge(reader, is_bad);
  if (reader.number() != 0) cdr.vendor = take_charge(reader, is_bad);
  cdr.end_reason = take_reason(reader);
  cdr.end_code = take_int(reader);
  cdr.sip_status = take_int(reader);
  cdr.q850_cause = take_int(reader);
  const std::uint64_t release_side = reader.number();
  is_bad |= release_side > static_cast<std::uint64_t>(ReleaseSide::server);
  cdr.release_side = static_cast<ReleaseSide>(release_side & 3U);
  const std::uint64_t attempts = reader.count(1);
  for (std::uint64_t i = 0; i < attempts && !is_bad; ++i) {
    is_bad |= reader.is_at_end();
    if (!is_bad) cdr.attempts.push_back(take_attempt(reader, cdr.started_at_us, is_bad));
  }
  cdr.media_relayed = reader.number() != 0;
  cdr.media_caller = take_media(reader, is_bad);
  cdr.media_callee = take_media(reader, is_bad);
  for (std::string* text : {&cdr.lrn, &cdr.callee_region, &cdr.caller_region})
    *text = reader.text();
  if (reader.number() != 0) cdr.agent = take_charge(reader, is_bad);
  if (!reader.is_at_end()) cdr.choices = reader.text();
  for (std::string* text : {&cdr.codecs.negotiated, &cdr.codecs.caller, &cdr.codecs.callee}) {
    if (!reader.is_at_end()) *text = reader.text();
  }
  if (!reader.is_at_end()) cdr.recording = reader.text();
  const auto level = static_cast<CallLevel>(std::min<std::uint64_t>(reader.number(), 255));
  // One of a newer release is none of ours.
  if (*call_level_name(level) != '\0') cdr.call_level = level;
  if (is_bad || reader.is_bad()) return Error{ErrorCode::corrupt, "a CDR was malformed"};
  return cdr;
}

}  // namespace tandem::cdr
