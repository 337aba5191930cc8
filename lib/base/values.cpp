#include "tandem/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>

namespace tandem {
namespace {

// The longest text that an error message repeats: messages stay one line whatever was read.
constexpr std::size_t quoted_chars_max = 80;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text.substr(0, quoted_chars_max)) {
    out += c >= ' ' && c <= '~' ? c : '?';
  }
  if (text.size() > quoted_chars_max) out += "...";
  return out += '"';
}

Error invalid(const char* what, std::string_view text, const char* why) {
  return {ErrorCode::invalid_argument, std::string(what) + ' ' + quoted(text) + ' ' + why};
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// The characters of R-01, by byte.
constexpr std::array<bool, 256> number_characters = [] {
  std::array<bool, 256> are{};
  for (std::size_t byte = 0; byte < are.size(); ++byte) {
    const auto c = static_cast<char>(byte);
    are[byte] = is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
                c == '*' || c == '#' || c == '_';
  }
  return are;
}();

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decimal without sign, spaces or leading zeros; -1 for anything else or above `most`.
int parse_decimal(std::string_view text, int most) noexcept {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return -1;
  int value = 0;
  for (char c : text) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value <= most ? value : -1;
}

// Dotted quad. Leading zeros are refused: some read them as octal, and the two readings are two
// hosts.
bool parse_ipv4(std::string_view text, std::uint8_t* out) noexcept {
  for (int part = 0; part < 4; ++part) {
    const std::size_t end = part < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end > 3) return false;
    const int value = parse_decimal(text.substr(0, end), 255);
    if (value < 0) return false;
    out[part] = static_cast<std::uint8_t>(value);
    text.remove_prefix(part < 3 ? end + 1 : end);
  }
  return text.empty();
}

// RFC 4291 section 2.2, all three forms, and the ":::" before a dotted quad that the grammar of RFC
// 3261 lets others write (RFC 5118 section 4.10).
bool parse_ipv6(std::string_view text, std::uint8_t* out) noexcept {
  std::uint8_t head[16] = {};
  std::size_t filled = 0;
  std::size_t gap = 17;  // where "::" stood; 17: not seen
  bool expects_group = false;
  if (text.substr(0, 2) == "::") {
    gap = 0;
    text.remove_prefix(2);
    if (!text.empty() && text[0] == ':' && text.find('.') != std::string_view::npos)
      text.remove_prefix(1);
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view group = text.substr(0, end);
    if (end == text.size() && group.find('.') != std::string_view::npos) {
      if (filled > 12 || !parse_ipv4(group, head + filled)) return false;
      filled += 4;
      expects_group = false;
      break;
    }
    if (group.empty() || group.size() > 4 || filled > 14) return false;
    unsigned value = 0;
    for (char c : group) {
      const int digit = hex_value(c);
      if (digit < 0) return false;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    head[filled++] = static_cast<std::uint8_t>(value >> 8);
    head[filled++] = static_cast<std::uint8_t>(value);
    text.remove_prefix(end);
    expects_group = false;
    if (text.empty()) break;
    text.remove_prefix(1);
    expects_group = true;
    if (!text.empty() && text[0] == ':') {
      if (gap != 17) return false;
      gap = filled;
      text.remove_prefix(1);
      if (!text.empty() && text[0] == ':' && text.find('.') != std::string_view::npos)
        text.remove_prefix(1);
      expects_group = false;
    }
  }
  if (expects_group) return false;
  if (gap == 17) {
    if (filled != 16) return false;
    std::memcpy(out, head, 16);
    return true;
  }
  // "::" stands for one group of zeros at least (RFC 5952 section 4.2.2 says how to write, 4291
  // what to read).
  if (filled > 14) return false;
  std::memset(out, 0, 16);
  std::memcpy(out, head, gap);
  std::memcpy(out + 16 - (filled - gap), head + gap, filled - gap);
  return true;
}

bool parse_ip(std::string_view text, IpAddress& out) noexcept {
  out = {};
  if (text.find(':') == std::string_view::npos) {
    if (!parse_ipv4(text, out.bytes.data())) return false;
    out.family = IpAddress::Family::ipv4;
    return true;
  }
  if (!parse_ipv6(text, out.bytes.data())) return false;
  out.family = IpAddress::Family::ipv6;
  static constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(out.bytes.data(), mapped, 12) == 0) {
    std::array<std::uint8_t, 16> ipv4{};
    std::memcpy(ipv4.data(), out.bytes.data() + 12, 4);
    out.bytes = ipv4;
    out.family = IpAddress::Family::ipv4;
  }
  return true;
}

unsigned bits_of(const IpAddress& ip) noexcept {
  return ip.is_ipv4() ? 32 : ip.is_ipv6() ? 128 : 0;
}

void append_decimal(std::string& out, unsigned value) {
  char buffer[12];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

constexpr ReasonFacts reason_table[] = {
    {Reason::none, "none", 0, 0},
    {Reason::NormalCallClearing, "NormalCallClearing", 0, 16},
    {Reason::NoAvailableRouter, "NoAvailableRouter", 503, 3},
    {Reason::AllGatewayBusy, "AllGatewayBusy", 503, 34},
    {Reason::GatewayTimeout, "GatewayTimeout", 408, 102},
    {Reason::InviteTimeout, "InviteTimeout", 408, 102},
    {Reason::ConnectionTimeout, "ConnectionTimeout", 408, 41},
    {Reason::NoAnswer, "NoAnswer", 480, 19},
    {Reason::AccountBalanceNotEnough, "AccountBalanceNotEnough", 402, 21},
    {Reason::AccountLocked, "AccountLocked", 403, 21},
    {Reason::AccountExpired, "AccountExpired", 403, 21},
    {Reason::AccountNotExist, "AccountNotExist", 403, 21},
    {Reason::RateNotFound, "RateNotFound", 403, 21},
    {Reason::RateLocked, "RateLocked", 403, 21},
    {Reason::NoCallPermission, "NoCallPermission", 403, 50},
    {Reason::LineLimitExceeded, "LineLimitExceeded", 503, 42},
    {Reason::RateLimited, "RateLimited", 503, 42},
    {Reason::CalleeNotOnline, "CalleeNotOnline", 480, 20},
    {Reason::Unregistered, "Unregistered", 480, 20},
    {Reason::CalleeBusy, "CalleeBusy", 486, 17},
    {Reason::NumberRestricted, "NumberRestricted", 403, 21},
    {Reason::NumberBlacklisted, "NumberBlacklisted", 403, 21},
    {Reason::DynamicBlacklist, "DynamicBlacklist", 603, 21},
    {Reason::GeofenceForbidden, "GeofenceForbidden", 403, 21},
    {Reason::IllegalCall, "IllegalCall", 403, 21},
    {Reason::AuthenticationFailed, "AuthenticationFailed", 403, 21},
    {Reason::CodecMismatch, "CodecMismatch", 488, 65},
    {Reason::ProtocolLimit, "ProtocolLimit", 488, 88},
    {Reason::NoMedia, "NoMedia", 0, 31},
    {Reason::RtpInterrupted, "RtpInterrupted", 0, 31},
    {Reason::SessionTimeout, "SessionTimeout", 0, 102},
    {Reason::MaxDuration, "MaxDuration", 0, 31},
    {Reason::BalanceExhausted, "BalanceExhausted", 0, 21},
    {Reason::AdminDisconnect, "AdminDisconnect", 0, 16},
    {Reason::LrnFailed, "LrnFailed", 404, 3},
    {Reason::RedirectFailed, "RedirectFailed", 503, 41},
    {Reason::TooManyForwards, "TooManyForwards", 482, 25},
    {Reason::DoNotDisturb, "DoNotDisturb", 486, 17},
    {Reason::CallerPoolExhausted, "CallerPoolExhausted", 503, 34},
    {Reason::ServerShutdown, "ServerShutdown", 503, 41},
    {Reason::CallerCancel, "CallerCancel", 487, 16},
    {Reason::ProfitGuard, "ProfitGuard", 503, 34},
    {Reason::NotFound, "NotFound", 404, 1},
    {Reason::TransferFailed, "TransferFailed", 0, 31},
    {Reason::LicenseLimit, "LicenseLimit", 503, 34},
    {Reason::InternalError, "InternalError", 500, 41},
    {Reason::CalleeDeclined, "CalleeDeclined", 603, 21},
    {Reason::VendorFailure, "VendorFailure", 503, 41},
    {Reason::ServerCrash, "ServerCrash", 0, 41},
    {Reason::GatewayLocked, "GatewayLocked", 403, 21},
    {Reason::AccountLimitReached, "AccountLimitReached", 403, 21},
    {Reason::CertificateRefused, "CertificateRefused", 503, 41},
};

struct Pair {
  std::int16_t from;
  std::int16_t to;
};

// Both sorted by `from` (C-09).
constexpr Pair sip_to_q850[] = {
    {400, 41},  {401, 21},  {402, 21}, {403, 21},  {404, 1},  {405, 63},  {406, 79},
    {407, 21},  {408, 102}, {410, 22}, {413, 127}, {415, 79}, {420, 127}, {480, 18},
    {481, 41},  {482, 25},  {483, 25}, {484, 28},  {485, 1},  {486, 17},  {487, 16},
    {488, 65},  {500, 41},  {501, 79}, {502, 38},  {503, 41}, {504, 102}, {505, 127},
    {513, 127}, {600, 17},  {603, 21}, {604, 1},   {606, 65},
};
constexpr Pair q850_to_sip[] = {
    {1, 404},  {2, 404},  {3, 404},  {16, 487}, {17, 486}, {18, 408},  {19, 480},  {20, 480},
    {21, 403}, {22, 410}, {23, 410}, {26, 404}, {27, 502}, {28, 484},  {29, 501},  {31, 480},
    {34, 503}, {38, 503}, {41, 503}, {42, 503}, {47, 503}, {55, 403},  {57, 403},  {58, 503},
    {65, 488}, {70, 488}, {79, 501}, {87, 403}, {88, 503}, {102, 504}, {111, 500}, {127, 500},
};

template <std::size_t n>
int look_up(const Pair (&table)[n], int key, int fallback) noexcept {
  const auto* found = std::lower_bound(std::begin(table), std::end(table), key,
                                       [](const Pair& pair, int k) { return pair.from < k; });
  return found != std::end(table) && found->from == key ? found->to : fallback;
}

template <std::size_t n>
constexpr bool is_sorted_by_key(const Pair (&table)[n]) {
  for (std::size_t i = 1; i < n; ++i) {
    if (table[i - 1].from >= table[i].from) return false;
  }
  return true;
}
static_assert(is_sorted_by_key(sip_to_q850) && is_sorted_by_key(q850_to_sip));

}  // namespace

Result<Amount> Amount::parse(std::string_view text) {
  const char* const what = "amount";
  std::string_view rest = text;
  const bool is_negative = !rest.empty() && rest[0] == '-';
  if (is_negative || (!rest.empty() && rest[0] == '+')) rest.remove_prefix(1);
  const std::size_t point = rest.find('.');
  const std::string_view whole = rest.substr(0, point);
  const std::string_view decimals =
      point == std::string_view::npos ? std::string_view() : rest.substr(point + 1);
  if (whole.empty() && decimals.empty()) return invalid(what, text, "had no digits");
  if (decimals.size() > 8) return invalid(what, text, "had more than 8 decimals");
  std::int64_t units = 0;
  // Built downwards: the range of int64 is one larger on the negative side.
  auto take = [&units](char c) {
    return !__builtin_mul_overflow(units, std::int64_t{10}, &units) &&
           !__builtin_sub_overflow(units, std::int64_t{c - '0'}, &units);
  };
  for (std::string_view part : {whole, decimals}) {
    for (char c : part) {
      if (!is_digit(c)) return invalid(what, text, "was not a decimal number");
      if (!take(c)) return invalid(what, text, "was out of range");
    }
  }
  for (std::size_t i = decimals.size(); i < 8; ++i) {
    if (!take('0')) return invalid(what, text, "was out of range");
  }
  if (!is_negative && __builtin_sub_overflow(std::int64_t{0}, units, &units)) {
    return invalid(what, text, "was out of range");
  }
  return from_units(units);
}

std::string Amount::to_string() const {
  const auto bits = static_cast<std::uint64_t>(units_);
  const std::uint64_t magnitude = units_ < 0 ? 0 - bits : bits;
  char buffer[32];
  char* out = buffer;
  if (units_ < 0) *out++ = '-';
  out = std::to_chars(out, buffer + sizeof buffer, magnitude / scale).ptr;
  *out++ = '.';
  std::uint64_t fraction = magnitude % scale;
  for (int i = 7; i >= 0; --i) {
    out[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  std::size_t decimals = 8;
  while (decimals > 2 && out[decimals - 1] == '0')
    --decimals;
  return {buffer, out + decimals};
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  std::string_view inner = text;
  if (inner.size() > 2 && inner.front() == '[' && inner.back() == ']') {
    inner = inner.substr(1, inner.size() - 2);
    if (inner.find(':') == std::string_view::npos) {
      return invalid("address", text, "had brackets around something other than IPv6");
    }
  }
  IpAddress ip;
  if (!parse_ip(inner, ip)) return invalid("address", text, "was not an IP address");
  return ip;
}

IpAddress IpAddress::ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept {
  IpAddress ip;
  ip.family = Family::ipv4;
  ip.bytes = {a, b, c, d};
  return ip;
}

std::string IpAddress::to_string() const {
  std::string out;
  if (family == Family::none) return out;
  if (family == Family::ipv4) {
    for (int i = 0; i < 4; ++i) {
      if (i) out += '.';
      append_decimal(out, bytes[i]);
    }
    return out;
  }
  // RFC 5952 section 4: lower case, no leading zeros, "::" for the first longest run of two or more
  // zero groups.
  unsigned group[8];
  for (int i = 0; i < 8; ++i)
    group[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  int gap_start = -1;
  int gap_groups = 1;
  for (int i = 0; i < 8; ++i) {
    int n = 0;
    while (i + n < 8 && group[i + n] == 0)
      ++n;
    if (n > gap_groups) {
      gap_start = i;
      gap_groups = n;
    }
    i += n;
  }
  for (int i = 0; i < 8; ++i) {
    if (i == gap_start) {
      out += "::";
      i += gap_groups - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    char buffer[8];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, group[i], 16).ptr);
  }
  return out;
}

bool IpAddress::is_unspecified() const noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const noexcept {
  if (is_ipv4()) return bytes[0] == 127;
  return is_ipv6() && bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](auto b) { return b == 0; });
}

bool IpAddress::is_private() const noexcept {
  const unsigned a = bytes[0];
  const unsigned b = bytes[1];
  if (is_ipv4()) {
    return a == 10 || (a == 172 && b >= 16 && b <= 31) || (a == 192 && b == 168) ||
           (a == 100 && b >= 64 && b <= 127) || (a == 169 && b == 254);
  }
  return is_ipv6() && ((a & 0xfe) == 0xfc || (a == 0xfe && (b & 0xc0) == 0x80));
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  IpNetwork network;
  auto ip = IpAddress::parse(address);
  if (!ip) return invalid("network", text, "was not an IP address or IP/LENGTH");
  network.address = *ip;
  const unsigned bits = bits_of(*ip);
  // The length of a block written as IPv4-mapped IPv6 counts from the start of the 128 bits.
  const unsigned mapped_bits =
      ip->is_ipv4() && address.find(':') != std::string_view::npos ? 96 : 0;
  int length = static_cast<int>(bits);
  if (slash != std::string_view::npos) {
    length = parse_decimal(text.substr(slash + 1), static_cast<int>(bits + mapped_bits));
    length = length < 0 ? -1 : length - static_cast<int>(mapped_bits);
    if (length < 0) return invalid("network", text, "had a prefix length out of range");
  }
  network.prefix_length = static_cast<std::uint8_t>(length);
  // Host bits are cleared so that equal blocks compare equal.
  for (unsigned bit = network.prefix_length; bit < bits; ++bit) {
    network.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  }
  return network;
}

bool IpNetwork::contains(const IpAddress& ip) const noexcept {
  if (ip.family != address.family || address.family == IpAddress::Family::none) return false;
  const unsigned whole = prefix_length / 8;
  const unsigned rest = prefix_length % 8;
  if (std::memcmp(ip.bytes.data(), address.bytes.data(), whole) != 0) return false;
  if (rest == 0) return true;
  const unsigned mask = 0xff00u >> rest & 0xff;
  return (ip.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

std::string IpNetwork::to_string() const {
  std::string out = address.to_string();
  if (prefix_length != bits_of(address)) {
    out += '/';
    append_decimal(out, prefix_length);
  }
  return out;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text, std::uint16_t default_port) {
  SocketAddress out;
  out.port = default_port;
  std::string_view address = text;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text[0] == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return invalid("address", text, "had no closing bracket");
    address = text.substr(0, close + 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return invalid("address", text, "was not [IPv6]:PORT");
      port = text.substr(close + 2);
      has_port = true;
    }
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos &&
             text.find(':', colon + 1) == std::string_view::npos) {
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  auto ip = IpAddress::parse(address);
  if (!ip) return invalid("address", text, "was not an IP address with or without a port");
  out.ip = *ip;
  if (has_port) {
    const int value = parse_decimal(port, 65535);
    if (value < 0) return invalid("address", text, "had a port that was not 0..65535");
    out.port = static_cast<std::uint16_t>(value);
  }
  return out;
}

std::string SocketAddress::to_string() const {
  std::string out;
  if (ip.is_ipv6()) {
    out = '[' + ip.to_string() + ']';
  } else {
    out = ip.to_string();
  }
  out += ':';
  append_decimal(out, port);
  return out;
}

const char* release_side_name(ReleaseSide side) noexcept {
  switch (side) {
    case ReleaseSide::caller:
      return "caller";
    case ReleaseSide::callee:
      return "callee";
    case ReleaseSide::server:
      return "server";
  }
  return "server";
}

const char* call_level_name(CallLevel level) noexcept {
  switch (level) {
    case CallLevel::none:
      return "";
    case CallLevel::internal:
      return "internal";
    case CallLevel::local:
      return "local";
    case CallLevel::domestic:
      return "domestic";
    case CallLevel::international:
      return "international";
  }
  return "";
}

Result<CallLevel> call_level_from_name(std::string_view name) {
  for (const CallLevel level : {CallLevel::none, CallLevel::internal, CallLevel::local,
                                CallLevel::domestic, CallLevel::international}) {
    if (name == call_level_name(level)) return level;
  }
  return Error{
      ErrorCode::invalid_argument,
      "call level " + quoted(name) + " was not internal, local, domestic or international"};
}

const ReasonFacts& reason_facts(Reason reason) noexcept {
  const ReasonFacts* internal_error = nullptr;
  for (const ReasonFacts& facts : reason_table) {
    if (facts.reason == reason) return facts;
    if (facts.reason == Reason::InternalError) internal_error = &facts;
  }
  return *internal_error;
}

std::optional<Reason> reason_from_name(std::string_view name) noexcept {
  for (const ReasonFacts& facts : reason_table) {
    if (name == facts.name) return facts.reason;
  }
  return std::nullopt;
}

Reason reason_for_response(int status) noexcept {
  switch (status) {
    case 486:
    case 600:
      return Reason::CalleeBusy;
    case 404:
    case 410:
    case 484:
    case 604:
      return Reason::NotFound;
    case 480:
      return Reason::NoAnswer;
    case 603:
      return Reason::CalleeDeclined;
    default:
      return Reason::VendorFailure;
  }
}

int q850_for_sip(int status) noexcept { return look_up(sip_to_q850, status, 127); }
int sip_for_q850(int cause) noexcept { return look_up(q850_to_sip, cause, 500); }

const char* sip_reason_phrase(int status) noexcept {
  switch (status) {
    case 100:
      return "Trying";
    case 180:
      return "Ringing";
    case 181:
      return "Call Is Being Forwarded";
    case 182:
      return "Queued";
    case 183:
      return "Session Progress";
    case 199:
      return "Early Dialog Terminated";
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Notification";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Moved Temporarily";
    case 305:
      return "Use Proxy";
    case 380:
      return "Alternative Service";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 412:
      return "Conditional Request Failed";
    case 413:
      return "Request Entity Too Large";
    case 414:
      return "Request-URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Unsupported URI Scheme";
    case 417:
      return "Unknown Resource-Priority";
    case 420:
      return "Bad Extension";
    case 421:
      return "Extension Required";
    case 422:
      return "Session Interval Too Small";
    case 423:
      return "Interval Too Brief";
    case 424:
      return "Bad Location Information";
    case 428:
      return "Use Identity Header";
    case 429:
      return "Provide Referrer Identity";
    case 430:
      return "Flow Failed";
    case 433:
      return "Anonymity Disallowed";
    case 436:
      return "Bad Identity Info";
    case 437:
      return "Unsupported Credential";
    case 438:
      return "Invalid Identity Header";
    case 439:
      return "First Hop Lacks Outbound Support";
    case 440:
      return "Max-Breadth Exceeded";
    case 469:
      return "Bad Info Package";
    case 470:
      return "Consent Needed";
    case 480:
      return "Temporarily Unavailable";
    case 481:
      return "Call/Transaction Does Not Exist";
    case 482:
      return "Loop Detected";
    case 483:
      return "Too Many Hops";
    case 484:
      return "Address Incomplete";
    case 485:
      return "Ambiguous";
    case 486:
      return "Busy Here";
    case 487:
      return "Request Terminated";
    case 488:
      return "Not Acceptable Here";
    case 489:
      return "Bad Event";
    case 491:
      return "Request Pending";
    case 493:
      return "Undecipherable";
    case 494:
      return "Security Agreement Required";
    case 500:
      return "Server Internal Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Server Time-out";
    case 505:
      return "Version Not Supported";
    case 513:
      return "Message Too Large";
    case 555:
      return "Push Notification Service Not Supported";
    case 580:
      return "Precondition Failure";
    case 600:
      return "Busy Everywhere";
    case 603:
      return "Decline";
    case 604:
      return "Does Not Exist Anywhere";
    case 606:
      return "Not Acceptable";
    case 607:
      return "Unwanted";
    case 608:
      return "Rejected";
    default:
      return "";
  }
}

bool is_number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 32) return false;
  // Every look-up asks this first. All characters are looked at, so that nothing is guessed.
  bool is_all = true;
  for (const char c : text)
    is_all &= number_characters[static_cast<unsigned char>(c)];
  return is_all;
}

}  // namespace tandem
