// Readers of the values that objects of several kinds have; each reports what is wrong at the
// reader's place and leaves its target as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "switch/config_reader_json.hpp"
#include "tandem/config.hpp"

namespace tandem::config {

inline constexpr std::int64_t int32_max = 2147483647;

void read_memo(Reader& r, const Json& v);
void read_id(Reader& r, const Json& v, std::string& id);
/// Statuses or causes.
struct CodeRange {
  std::int64_t least, most;
  bool is_sip = false;  ///< Then targets are what a caller can be told.
};
inline constexpr CodeRange sip_codes{300, 699, true};
inline constexpr CodeRange q850_codes{1, 127};
/// An array of {"from", "to"}, each "from" once. `takes_zero`: 0 stands for any other, or none.
void read_replacements(Reader& r, const Json& v, const CodeRange& from, const CodeRange& to,
                       std::vector<CodeReplacement>& list, bool takes_zero = true);
void read_domain(Reader& r, const Json& v, std::string& domain);
void read_media_mode(Reader& r, const Json& v, MediaMode& mode);
void read_rtp_interrupt(Reader& r, const Json& v, RtpInterrupt& interrupt);
void read_number_kind(Reader& r, const Json& v, NumberKind& kind);
void read_number_kinds(Reader& r, const Json& v, std::vector<NumberKind>& kinds);
void read_call_level(Reader& r, const Json& v, CallLevel& level);
/// A boolean, or one of the modes.
void read_rel100(Reader& r, const Json& v, Rel100Mode& mode);
void read_refer(Reader& r, const Json& v, ReferMode& mode);
void read_replaces(Reader& r, const Json& v, ReplacesMode& mode);
void read_redirect_servers(Reader& r, const Json& v, RedirectServers& servers);
/// An array of codec names, or comma text.
void read_codecs(Reader& r, const Json& v, std::vector<CodecName>& codecs);
void read_rewrite(Reader& r, const Json& v, std::string& rules);
void read_currency(Reader& r, const Json& v, std::string& currency);
void read_lengths(Reader& r, const Json& v, std::vector<int>& lengths);
void read_prefixes(Reader& r, const Json& v, std::vector<std::string>& prefixes);
bool is_none(const Json& v);
void read_timezone(Reader& r, const Json& v, std::string& zone);
void read_day_class(Reader& r, const Json& v, DayClass& kind);
/// "18:00", "18:00:30", "24:00", or seconds since midnight.
void read_time_of_day(Reader& r, const Json& v, std::int32_t& out_s);
/// A percentage with at most two decimals, as a whole number or a decimal in quotes.
void read_percent(Reader& r, const Json& v, std::optional<std::int32_t>& hundredths);
/// Names are asked for when the reader looks outside.
void read_addresses(Reader& r, const Json& v, std::vector<GatewayAddress>& addresses);
void read_price(Reader& r, const Json& v, std::optional<Amount>& out);
void read_days(Reader& r, const Json& v, DaySet& out);
/// Where a window or a period begins.
void read_first_time_of_day(Reader& r, const Json& v, std::int32_t& out_s);
void read_tax(Reader& r, const Json& v, Amount& out);
void read_number(Reader& r, const Json& v, std::string& number);
void read_numbers(Reader& r, const Json& v, std::vector<std::string>& numbers);
/// What is owed by the month, or bounds it (B-18).
void read_monthly(Reader& r, const Json& v, Amount& out);
void read_billing_prefix(Reader& r, const Json& v, std::string& out);

template <class Int, std::int64_t Low, std::int64_t High>
void read_optional(Reader& r, const Json& v, std::optional<Int>& out) {
  std::int64_t number = 0;
  if (r.integer(v, Low, High, number)) out = static_cast<Int>(number);
}

/// `tls` and its keys, of an object that has an `https`.
template <class Object>
std::vector<Field<Object>> https_fields() {
  return {
      {"tls", "boolean", "false", "HTTPS, to a server whose certificate must be good.",
       [](Reader& r, const Json& v, Object& o) { r.boolean(v, o.https.is_on); }},
      {"tls_name", "domain", "the IP",
       "With `tls`: whose certificate it must show (RFC 9525); sent as SNI and as Host.",
       [](Reader& r, const Json& v, Object& o) { read_domain(r, v, o.https.name); }},
      {"tls_ca", "path", "those of the system",
       "With `tls`: PEM, authorities that the server's certificate must come from.",
       [](Reader& r, const Json& v, Object& o) { r.string(v, o.https.ca, 4'096); }},
      {"tls_certificate", "path", "none",
       "With `tls`: PEM, the certificate for a server that asks for one.",
       [](Reader& r, const Json& v, Object& o) { r.string(v, o.https.certificate, 4'096); }},
      {"tls_key", "path", "the file of `tls_certificate`", "PEM: its key, without a passphrase.",
       [](Reader& r, const Json& v, Object& o) { r.string(v, o.https.key, 4'096); }},
  };
}

}  // namespace tandem::config
