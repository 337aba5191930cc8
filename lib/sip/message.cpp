#include "sip/message.hpp"

#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tandem::sip {
namespace {

// Character classes of RFC 3261 section 25.1, one bit each.
constexpr std::uint8_t class_token = 1;  // token
constexpr std::uint8_t class_digit = 2;
constexpr std::uint8_t class_blank = 4;  // what LWS consists of once a line has been delimited
constexpr std::uint8_t class_host = 8;   // hostname, plus '_' that devices put into names
constexpr std::uint8_t class_user =
    16;  // user and password without ':' and '@', plus '#' that devices leave unescaped
constexpr std::uint8_t class_uri = 32;  // may stand in an URI at all
constexpr std::uint8_t class_value =
    64;  // unquoted parameter value; wider than token: what devices send in tags
constexpr std::uint8_t class_hex = 128;

constexpr bool contains(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_alphanumeric = is_digit || is_letter;
    const bool is_visible = i > 0x20 && i < 0x7F;
    std::uint8_t bits = 0;
    if (is_alphanumeric || contains("-.!%*_+`'~", c)) bits |= class_token;
    if (is_digit) bits |= class_digit;
    if (contains(" \t\r\n", c)) bits |= class_blank;
    if (is_alphanumeric || contains("-._", c)) bits |= class_host;
    if (is_alphanumeric || contains("-_.!~*'()%&=+$,;?/#", c)) bits |= class_user;
    if (is_visible && !contains("<>\"\\^`{|}", c)) bits |= class_uri;
    if (i >= 0x80 || (is_visible && !contains(";,\"", c))) bits |= class_value;
    if (is_digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) bits |= class_hex;
    table[static_cast<std::size_t>(i)] = bits;
  }
  return table;
}
constexpr std::array<std::uint8_t, 256> classes = make_classes();

inline bool is(char c, std::uint8_t bits) noexcept {
  return (classes[static_cast<unsigned char>(c)] & bits) != 0;
}

inline const char* skip(const char* p, const char* end, std::uint8_t bits) noexcept {
  while (p != end && is(*p, bits))
    ++p;
  return p;
}
inline const char* skip_blanks(const char* p, const char* end) noexcept {
  return skip(p, end, class_blank);
}

inline std::string_view between(const char* begin, const char* end) noexcept {
  return {begin, static_cast<std::size_t>(end - begin)};
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is(text.front(), class_blank))
    text.remove_prefix(1);
  while (!text.empty() && is(text.back(), class_blank))
    text.remove_suffix(1);
  return text;
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// `lower_case` consists of letters, digits and '-'; `token` of token characters. Among those,
// setting bit 5 maps only a letter's other case on it, so the comparison is exact.
inline bool equals_token(std::string_view token, std::string_view lower_case) noexcept {
  if (token.size() != lower_case.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    difference |=
        (static_cast<unsigned char>(token[i]) | 0x20U) ^ static_cast<unsigned char>(lower_case[i]);
  }
  return difference == 0;
}

// Digits only, at most `max`; false otherwise.
bool read_number(std::string_view text, std::uint64_t max, std::uint64_t& number) noexcept {
  if (text.empty()) return false;
  std::uint64_t sum = 0;
  for (char c : text) {
    if (!is(c, class_digit)) return false;
    sum = sum * 10 + static_cast<std::uint64_t>(c - '0');
    if (sum > max) return false;
  }
  number = sum;
  return true;
}

// First byte from `p` on that is a control character other than HTAB.
inline const char* find_control(const char* p, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i highest_control = _mm_set1_epi8(0x1F);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7F);
  while (end - p >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, highest_control), block);
    const __m128i hit =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low), _mm_cmpeq_epi8(block, del));
    const int mask = _mm_movemask_epi8(hit);
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  for (; p != end; ++p) {
    const auto c = static_cast<unsigned char>(*p);
    if ((c < 0x20 && c != '\t') || c == 0x7F) break;
  }
  return p;
}

// Cuts the head of a message into lines, folded ones in one piece (RFC 3261 section 7.3.1).
class Lines {
 public:
  enum class Step : std::uint8_t {
    line,
    end_of_head,  // the empty line
    cut,          // the bytes end before the empty line; `line` holds what is left
  };

  Lines(const char* begin, const char* end) noexcept : next_(begin), end_(end) {}

  Step next(std::string_view& line) noexcept {
    const char* const begin = next_;
    const char* p = begin;
    has_controls_ = false;
    has_bare_line_end_ = false;
    for (;;) {
      p = find_control(p, end_);
      if (p == end_) break;
      if (*p == '\r') {
        if (end_ - p >= 2 && p[1] == '\n') {
          if (p == begin) {
            next_ = p + 2;
            return Step::end_of_head;
          }
          if (end_ - p >= 3 && (p[2] == ' ' || p[2] == '\t')) {
            p += 3;
            continue;
          }
          line = between(begin, p);
          next_ = p + 2;
          return Step::line;
        }
        has_bare_line_end_ = true;
      } else if (*p == '\n') {
        has_bare_line_end_ = true;
      } else {
        has_controls_ = true;
      }
      ++p;
    }
    line = between(begin, end_);
    next_ = end_;
    return Step::cut;
  }

  [[nodiscard]] const char* position() const noexcept { return next_; }
  [[nodiscard]] bool has_controls() const noexcept { return has_controls_; }
  [[nodiscard]] bool has_bare_line_end() const noexcept { return has_bare_line_end_; }

 private:
  const char* next_;
  const char* end_;
  bool has_controls_ = false;
  bool has_bare_line_end_ = false;
};

// Control characters may stand in a quoted string behind a backslash (quoted-pair) and nowhere
// else.
bool controls_are_quoted(std::string_view value) noexcept {
  bool in_quotes = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '"') in_quotes = !in_quotes;
    if (in_quotes && c == '\\') {
      ++i;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && !is(c, class_blank)) || byte == 0x7F) return false;
  }
  return true;
}

// True when the text at `p`, as long as `lower_case`, is that name in any case. Setting bit 5 maps
// on a letter only its other case, and on '-' only CR, which stands in a line only in front of LF,
// and LF maps on '*'. Whole words are compared: names are looked at for every header line there is.
template <std::size_t size_with_nul>
inline bool is_named(const char* p, const char (&lower_case)[size_with_nul]) noexcept {
  constexpr std::size_t size = size_with_nul - 1;
  const auto differs = [p, &lower_case](std::size_t at, auto word) {
    auto expected = word;
    std::memcpy(&word, p + at, sizeof word);
    std::memcpy(&expected, lower_case + at, sizeof expected);
    constexpr auto bit5 = static_cast<decltype(word)>(0x2020202020202020U);
    return (word | bit5) != expected;
  };
  if constexpr (size >= 8) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
      if (differs(at, std::uint64_t{})) return false;
    }
    return !differs(size - 8, std::uint64_t{});
  } else if constexpr (size >= 4) {
    return !differs(0, std::uint32_t{}) && !differs(size - 4, std::uint32_t{});
  } else {
    return equals_token({p, size}, {lower_case, size});
  }
}

HeaderId header_id(std::string_view name) noexcept {
  const char* const p = name.data();
  switch (name.size()) {
    case 1:
      switch (lower(name[0])) {
        case 'c':
          return HeaderId::content_type;
        case 'e':
          return HeaderId::content_encoding;
        case 'f':
          return HeaderId::from;
        case 'i':
          return HeaderId::call_id;
        case 'k':
          return HeaderId::supported;
        case 'l':
          return HeaderId::content_length;
        case 'm':
          return HeaderId::contact;
        case 'o':
          return HeaderId::event;
        case 'r':
          return HeaderId::refer_to;
        case 't':
          return HeaderId::to;
        case 'v':
          return HeaderId::via;
        case 'x':
          return HeaderId::session_expires;
        default:
          break;
      }
      break;
    case 2:
      if (is_named(p, "to")) return HeaderId::to;
      break;
    case 3:
      if (is_named(p, "via")) return HeaderId::via;
      break;
    case 4:
      if (is_named(p, "from")) return HeaderId::from;
      if (is_named(p, "cseq")) return HeaderId::cseq;
      if (is_named(p, "rseq")) return HeaderId::rseq;
      if (is_named(p, "rack")) return HeaderId::rack;
      if (is_named(p, "date")) return HeaderId::date;
      break;
    case 5:
      if (is_named(p, "route")) return HeaderId::route;
      if (is_named(p, "allow")) return HeaderId::allow;
      if (is_named(p, "event")) return HeaderId::event;
      break;
    case 6:
      if (is_named(p, "server")) return HeaderId::server;
      if (is_named(p, "accept")) return HeaderId::accept;
      if (is_named(p, "reason")) return HeaderId::reason;
      if (is_named(p, "min-se")) return HeaderId::min_se;
      break;
    case 7:
      if (is_named(p, "call-id")) return HeaderId::call_id;
      if (is_named(p, "contact")) return HeaderId::contact;
      if (is_named(p, "require")) return HeaderId::require;
      if (is_named(p, "privacy")) return HeaderId::privacy;
      if (is_named(p, "expires")) return HeaderId::expires;
      break;
    case 8:
      if (is_named(p, "refer-to")) return HeaderId::refer_to;
      if (is_named(p, "replaces")) return HeaderId::replaces;
      break;
    case 9:
      if (is_named(p, "supported")) return HeaderId::supported;
      if (is_named(p, "diversion")) return HeaderId::diversion;
      if (is_named(p, "timestamp")) return HeaderId::timestamp;
      break;
    case 10:
      if (is_named(p, "user-agent")) return HeaderId::user_agent;
      break;
    case 11:
      if (is_named(p, "retry-after")) return HeaderId::retry_after;
      if (is_named(p, "unsupported")) return HeaderId::unsupported;
      break;
    case 12:
      if (is_named(p, "max-forwards")) return HeaderId::max_forwards;
      if (is_named(p, "content-type")) return HeaderId::content_type;
      if (is_named(p, "record-route")) return HeaderId::record_route;
      break;
    case 13:
      if (is_named(p, "authorization")) return HeaderId::authorization;
      if (is_named(p, "proxy-require")) return HeaderId::proxy_require;
      break;
    case 14:
      if (is_named(p, "content-length")) return HeaderId::content_length;
      break;
    case 15:
      if (is_named(p, "session-expires")) return HeaderId::session_expires;
      if (is_named(p, "remote-party-id")) return HeaderId::remote_party_id;
      break;
    case 16:
      if (is_named(p, "content-encoding")) return HeaderId::content_encoding;
      if (is_named(p, "www-authenticate")) return HeaderId::www_authenticate;
      break;
    case 18:
      if (is_named(p, "proxy-authenticate")) return HeaderId::proxy_authenticate;
      break;
    case 19:
      if (is_named(p, "p-asserted-identity")) return HeaderId::p_asserted_identity;
      if (is_named(p, "content-disposition")) return HeaderId::content_disposition;
      if (is_named(p, "proxy-authorization")) return HeaderId::proxy_authorization;
      break;
    case 20:
      if (is_named(p, "p-preferred-identity")) return HeaderId::p_preferred_identity;
      break;
    default:
      break;
  }
  return HeaderId::other;
}

constexpr std::uint64_t bit(HeaderId id) noexcept {
  return std::uint64_t{1} << static_cast<unsigned>(id);
}
static_assert(static_cast<unsigned>(HeaderId::other) < 64);

// Headers that must not come twice. Taking one of two lets two elements on the way read two
// different messages.
constexpr std::uint64_t single_value_headers =
    bit(HeaderId::from) | bit(HeaderId::to) | bit(HeaderId::call_id) | bit(HeaderId::cseq) |
    bit(HeaderId::max_forwards) | bit(HeaderId::content_length) | bit(HeaderId::content_type) |
    bit(HeaderId::content_disposition) | bit(HeaderId::session_expires) | bit(HeaderId::min_se) |
    bit(HeaderId::rseq) | bit(HeaderId::rack) | bit(HeaderId::event) | bit(HeaderId::refer_to) |
    bit(HeaderId::expires) | bit(HeaderId::date) | bit(HeaderId::timestamp) |
    bit(HeaderId::retry_after);

// First ':' from `p` on, or `end`.
inline const char* find_colon(const char* p, const char* end) noexcept {
#if defined(__SSE2__)
  if (end - p >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(':')));
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  while (p != end && *p != ':')
    ++p;
  return p;
}

bool split_header(std::string_view line, Header& header) noexcept {
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const char* const colon = find_colon(begin, end);
  if (colon == end) return false;
  const char* name_end = colon;
  while (name_end != begin && (name_end[-1] == ' ' || name_end[-1] == '\t'))
    --name_end;  // HCOLON; no fold here
  header.name = between(begin, name_end);
  if (header.name.empty()) return false;
  header.id = header_id(header.name);
  // A known name consists of token characters; of the others each one is looked at.
  if (header.id == HeaderId::other && skip(begin, name_end, class_token) != name_end) return false;
  const char* const first = skip_blanks(colon + 1, end);
  const char* last = end;
  while (last != first && is(last[-1], class_blank))
    --last;
  header.value = between(first, last);
  return true;
}

// From the opening quote to behind the closing one; nullptr when it is not closed.
const char* skip_quoted(const char* p, const char* end) noexcept {
  for (++p; p != end; ++p) {
    if (*p == '"') return p + 1;
    if (*p == '\\' && ++p == end) return nullptr;
  }
  return nullptr;
}

struct Parameter {
  std::string_view name;
  std::string_view value;  // without quotes
  bool has_value = false;
};

// Reads "name" or "name=value" with white space around '='; `p` is behind the ';'. nullptr when
// malformed.
const char* take_parameter(const char* p, const char* end, Parameter& parameter) noexcept {
  p = skip_blanks(p, end);
  const char* begin = p;
  p = skip(p, end, class_token);
  if (p == begin) return nullptr;
  parameter.name = between(begin, p);
  parameter.value = {};
  parameter.has_value = false;
  const char* q = skip_blanks(p, end);
  if (q == end || *q != '=') return p;
  p = skip_blanks(q + 1, end);
  begin = p;
  parameter.has_value = true;
  if (p != end && *p == '"') {
    p = skip_quoted(p, end);
    if (p == nullptr) return nullptr;
    parameter.value = between(begin + 1, p - 1);
    return p;
  }
  p = skip(p, end, class_value);
  if (p == begin) return nullptr;
  parameter.value = between(begin, p);
  return p;
}

// A host: name, IPv4 address or IPv6 reference. The text of a reference is not an address yet:
// digits and colons in any number pass (RFC 5118 section 4.10). nullptr when malformed.
const char* take_host(const char* p, const char* end, std::string_view& host) noexcept {
  if (p != end && *p == '[') {
    const char* const begin = ++p;
    while (p != end && (is(*p, class_hex) || *p == ':' || *p == '.'))
      ++p;
    if (p == begin || p == end || *p != ']') return nullptr;
    host = between(begin, p);
    return p + 1;
  }
  const char* const begin = p;
  p = skip(p, end, class_host);
  if (p == begin) return nullptr;
  host = between(begin, p);
  return p;
}

const char* take_port(const char* p, const char* end, std::uint16_t& port) noexcept {
  const char* const begin = p;
  p = skip(p, end, class_digit);
  std::uint64_t number = 0;
  if (!read_number(between(begin, p), 65535, number) || number == 0) return nullptr;
  port = static_cast<std::uint16_t>(number);
  return p;
}

enum class ViaState : std::uint8_t { good, bad_parameters, bad };

// Reads one Via value up to a ',' or the end; `p` then stands there.
ViaState take_via(const char*& p, const char* const end, Via& via) noexcept {
  via = Via{};
  p = skip_blanks(p, end);
  const char* const begin = p;
  const auto take_token = [&p, end](std::string_view& token) {
    p = skip_blanks(p, end);
    const char* const first = p;
    p = skip(p, end, class_token);
    token = between(first, p);
    return !token.empty();
  };
  const auto take_slash = [&p, end] {
    p = skip_blanks(p, end);
    if (p == end || *p != '/') return false;
    ++p;
    return true;
  };
  std::string_view protocol;
  std::string_view version;
  if (!take_token(protocol) || !take_slash() || !take_token(version) || !take_slash() ||
      !take_token(via.transport)) {
    return ViaState::bad;
  }
  if (!equals_token(protocol, "sip") || p == end || !is(*p, class_blank)) return ViaState::bad;
  p = skip_blanks(p, end);
  p = take_host(p, end, via.host);
  if (p == nullptr) return ViaState::bad;
  const char* last = p;
  p = skip_blanks(p, end);
  if (p != end && *p == ':') {
    p = take_port(skip_blanks(p + 1, end), end, via.port);
    if (p == nullptr) return ViaState::bad;
    last = p;
    p = skip_blanks(p, end);
  }
  const auto bad_parameters = [&] {
    via.value = trimmed(between(begin, end));
    return ViaState::bad_parameters;
  };
  for (;;) {
    if (p == end || *p == ',') break;
    if (*p == '(') {  // a comment, which RFC 2543 allowed behind the parameters
      while (p != end && *p != ')')
        ++p;
      if (p == end) return bad_parameters();
      p = skip_blanks(p + 1, end);
      continue;
    }
    if (*p != ';') return bad_parameters();
    Parameter parameter;
    p = take_parameter(p + 1, end, parameter);
    if (p == nullptr) return bad_parameters();
    last = p;
    p = skip_blanks(p, end);
    switch (parameter.name.size()) {
      case 5:
        if (equals_token(parameter.name, "rport")) {
          std::uint64_t port = 0;
          if (via.has_rport ||
              (parameter.has_value && !read_number(parameter.value, 65535, port))) {
            return bad_parameters();
          }
          via.has_rport = true;
          via.rport = static_cast<std::uint16_t>(port);
        }
        break;
      case 6:
        if (equals_token(parameter.name, "branch")) {
          if (!via.branch.empty() || parameter.value.empty()) return bad_parameters();
          via.branch = parameter.value;
        }
        break;
      case 8:
        if (equals_token(parameter.name, "received")) {
          if (!via.received.empty() || parameter.value.empty()) return bad_parameters();
          via.received = parameter.value;
          if (via.received.size() > 2 && via.received.front() == '[' &&
              via.received.back() == ']') {
            via.received = via.received.substr(1, via.received.size() - 2);
          }
        }
        break;
      default:
        break;
    }
  }
  via.value = between(begin, last);
  return ViaState::good;
}

bool has_scheme(std::string_view uri) noexcept {
  const char* const begin = uri.data();
  const char* const end = begin + uri.size();
  if (uri.empty() || !((lower(*begin) >= 'a') && (lower(*begin) <= 'z'))) return false;
  const char* p = begin;
  while (p != end && (is(*p, class_host | class_digit) || *p == '+'))
    ++p;
  return p != end && *p == ':' && p + 1 != end;
}

// Reads a name-addr or addr-spec with parameters up to a ',' or the end; `p` then stands there.
bool take_name_address(const char*& p, const char* const end, NameAddress& address) noexcept {
  address = NameAddress{};
  p = skip_blanks(p, end);
  const char* const begin = p;
  bool has_brackets = false;
  if (p != end && *p == '"') {
    const char* const quote = p;
    p = skip_quoted(p, end);
    if (p == nullptr) return false;
    address.display = between(quote + 1, p - 1);
    p = skip_blanks(p, end);
    if (p == end || *p != '<') return false;
    has_brackets = true;
  } else {
    // Words of a display name: tokens, and bytes of UTF-8 that devices do not quote.
    while (p != end &&
           (is(*p, class_token | class_blank) || static_cast<unsigned char>(*p) >= 0x80))
      ++p;
    has_brackets = p != end && *p == '<';
    if (has_brackets) {
      address.display = trimmed(between(begin, p));
    } else {
      p = begin;
    }
  }
  const char* last = nullptr;
  if (has_brackets) {
    const char* const first = ++p;
    while (p != end && static_cast<unsigned char>(*p) > 0x20 && *p != '>' && *p != '<' && *p != '"')
      ++p;
    if (p == end || *p != '>') return false;
    address.uri = between(first, p);
    last = ++p;
  } else {
    // Without brackets ',', ';' and '?' end the URI (RFC 3261 section 20.10), and '?' must not
    // follow.
    while (p != end && is(*p, class_uri) && *p != ',' && *p != ';' && *p != '?')
      ++p;
    address.uri = between(begin, p);
    last = p;
  }
  if (!has_scheme(address.uri)) return false;
  p = skip_blanks(p, end);
  const char* const params = p;
  while (p != end && *p == ';') {
    Parameter parameter;
    p = take_parameter(p + 1, end, parameter);
    if (p == nullptr) return false;
    last = p;
    p = skip_blanks(p, end);
    if (parameter.name.size() == 3 && equals_token(parameter.name, "tag")) {
      if (!address.tag.empty() || parameter.value.empty()) return false;
      address.tag = parameter.value;
    }
  }
  if (p != end && *p != ',') return false;
  address.value = between(begin, last);
  if (last > params) address.params = between(params, last);
  return true;
}

// First fault wins: the later ones are often its consequences.
struct Findings {
  Fault fault;
  bool is_fatal = false;  // no answer possible, whatever else is found

  void note(int status, const char* text) noexcept {
    if (fault.kind != Fault::Kind::none) return;
    fault = {Fault::Kind::answer, status, text};
  }
  void fatal(const char* text) noexcept {
    if (is_fatal) return;
    is_fatal = true;
    fault = {Fault::Kind::drop, 400, text};
  }
};

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) noexcept {
  return text.size() >= prefix.size() &&
         equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

bool is_version(std::string_view text) noexcept {
  if (!starts_with_ignoring_case(text, "SIP/")) return false;
  text.remove_prefix(4);
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != dot && !is(text[i], class_digit)) return false;
  }
  return true;
}

void scan_request_uri(Message& message, Findings& findings) noexcept {
  if (message.request_uri.size() > Limits::uri_bytes_max)
    return findings.note(414, "Request-URI Too Long");
  Uri uri;
  if (!parse_uri(message.request_uri, uri)) return findings.note(400, "Malformed Request-URI");
  if (!equals_ignoring_case(uri.scheme, "sip") && !equals_ignoring_case(uri.scheme, "sips") &&
      !equals_ignoring_case(uri.scheme, "tel")) {
    return findings.note(416, "Unsupported URI Scheme");
  }
  // Headers in an URI are meant for who makes a request of it, never for who receives it (RFC 3261
  // section 19.1.1).
  if (!uri.headers.empty()) findings.note(400, "Headers in Request-URI");
}

void scan_request_line(std::string_view line, Message& message, Findings& findings) noexcept {
  message.is_request = true;
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const char* p = skip(begin, end, class_token);
  message.method_token = between(begin, p);
  message.method = method_from(message.method_token);
  const std::string_view well = trimmed(line);
  const std::size_t last_space = well.rfind(' ');
  if (p == begin || p == end || *p != ' ' || last_space == std::string_view::npos ||
      !starts_with_ignoring_case(well.substr(last_space + 1), "SIP/")) {
    return findings.fatal("Not a SIP request");
  }
  const std::string_view version = well.substr(last_space + 1);
  const char* const uri_begin = p + 1;
  const char* const uri_end = begin + last_space;
  message.request_uri = uri_begin < uri_end ? between(uri_begin, uri_end) : std::string_view();
  if (!is_version(version)) return findings.note(400, "Malformed SIP version");
  if (version.substr(4) != "2.0") return findings.note(505, "Version Not Supported");
  // Exactly one space on each side of the URI and none elsewhere (RFC 3261 section 7.1).
  if (well.size() != line.size() || message.request_uri.empty() ||
      message.request_uri.find_first_of(" \t\r\n") != std::string_view::npos) {
    message.request_uri = trimmed(message.request_uri);
    return findings.note(400, "Malformed Request-Line");
  }
  scan_request_uri(message, findings);
}

void scan_status_line(std::string_view line, Message& message, Findings& findings) noexcept {
  message.is_request = false;
  constexpr std::size_t code_at = 8;  // behind "SIP/2.0 "
  std::uint64_t status = 0;
  const bool is_good = line.size() >= code_at + 3 && line.substr(4, 4) == "2.0 " &&
                       read_number(line.substr(code_at, 3), 699, status) && status >= 100 &&
                       (line.size() == code_at + 3 || line[code_at + 3] == ' ') &&
                       line.find('\n') == std::string_view::npos;
  if (!is_good) return findings.fatal("Malformed Status-Line");
  message.status = static_cast<int>(status);
  // The space behind the code is missing in what some devices send; nothing can be read into that.
  message.reason_phrase = line.size() > code_at + 4 ? line.substr(code_at + 4) : std::string_view();
}

void scan_vias(std::string_view value, Message& message, Findings& findings) noexcept {
  const char* p = value.data();
  const char* const end = p + value.size();
  for (;;) {
    if (message.via_count == Limits::vias_max) return findings.note(400, "Too many Via values");
    Via& via = message.vias[message.via_count];
    const ViaState state = take_via(p, end, via);
    if (state == ViaState::bad) {
      if (message.via_count == 0) return findings.fatal("Malformed Via");
      return findings.note(400, "Malformed Via");
    }
    ++message.via_count;
    if (state == ViaState::bad_parameters) return findings.note(400, "Malformed Via");
    if (p == end) return;
    ++p;  // the comma
  }
}

void scan_address(std::string_view value, NameAddress& address, const char* fault,
                  Findings& findings) noexcept {
  const char* p = value.data();
  const char* const end = p + value.size();
  if (!take_name_address(p, end, address) || p != end) {
    address = NameAddress{};
    address.value = value;
    return findings.note(400, fault);
  }
  if (address.tag.size() > Limits::tag_bytes_max || address.uri.size() > Limits::uri_bytes_max) {
    findings.note(400, fault);
  }
}

void scan_contact(std::string_view value, Message& message, Findings& findings) noexcept {
  if (value == "*") {
    message.contact = NameAddress{};
    message.contact.value = message.contact.uri = value;
    return;
  }
  const char* p = value.data();
  if (take_name_address(p, p + value.size(), message.contact)) return;
  message.contact = NameAddress{};
  // A response is worth more than its Contact: without one the stack sees it as absent.
  if (message.is_request) findings.note(400, "Malformed Contact");
}

void scan_call_id(std::string_view value, Message& message, Findings& findings) noexcept {
  message.call_id = value;
  bool is_good = value.size() <= Limits::call_id_bytes_max;
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    is_good = is_good && byte > 0x20 && byte < 0x7F && c != ',';
  }
  if (!is_good) findings.note(400, "Malformed Call-ID");
}

void scan_cseq(std::string_view value, Message& message, Findings& findings) noexcept {
  const char* const begin = value.data();
  const char* const end = begin + value.size();
  const char* p = skip(begin, end, class_digit);
  std::uint64_t number = 0;
  const bool has_number = read_number(between(begin, p), 0xFFFFFFFFU, number);
  const char* const method = skip_blanks(p, end);
  if (!has_number || method == p || method == end || skip(method, end, class_token) != end) {
    return findings.note(400, "Malformed CSeq");
  }
  message.cseq = static_cast<std::uint32_t>(number);
  message.cseq_method_token = between(method, end);
  message.cseq_method = method_from(message.cseq_method_token);
}

void reset(Message& message) noexcept {
  message.is_request = false;
  message.method = Method::unknown;
  message.method_token = {};
  message.request_uri = {};
  message.status = 0;
  message.reason_phrase = {};
  message.header_count = 0;
  message.via_count = 0;
  message.from = {};
  message.to = {};
  message.call_id = {};
  message.cseq = 0;
  message.cseq_method = Method::unknown;
  message.cseq_method_token = {};
  message.contact = {};
  message.max_forwards = -1;
  message.content_type = {};
  message.body = {};
  message.size = 0;
}

struct Content {
  bool has_length = false;
  bool is_bad = false;
  std::uint64_t length = 0;
};

void scan_header(const Header& header, std::uint64_t& seen, Content& content, Message& message,
                 Findings& findings) noexcept {
  const std::uint64_t id = bit(header.id);
  const bool is_second = (seen & id) != 0;
  seen |= id;
  if (is_second && (single_value_headers & id) != 0) {
    content.is_bad = content.is_bad || header.id == HeaderId::content_length;
    return findings.note(400, "Repeated header that may come once");
  }
  std::uint64_t number = 0;
  switch (header.id) {
    case HeaderId::via:
      return scan_vias(header.value, message, findings);
    case HeaderId::from:
      return scan_address(header.value, message.from, "Malformed From", findings);
    case HeaderId::to:
      return scan_address(header.value, message.to, "Malformed To", findings);
    case HeaderId::call_id:
      return scan_call_id(header.value, message, findings);
    case HeaderId::cseq:
      return scan_cseq(header.value, message, findings);
    case HeaderId::contact:
      if (!is_second) scan_contact(header.value, message, findings);
      return;
    case HeaderId::max_forwards:
      if (!read_number(header.value, 255, number))
        return findings.note(400, "Malformed Max-Forwards");
      message.max_forwards = static_cast<int>(number);
      return;
    case HeaderId::content_length:
      content.has_length = true;
      content.is_bad = !read_number(header.value, 0xFFFFFFFFU, content.length);
      if (content.is_bad) findings.note(400, "Malformed Content-Length");
      return;
    case HeaderId::content_type:
      message.content_type = header.value;
      return;
    default:
      return;
  }
}

void scan_body(const char* body, const char* end, Framing framing, const Content& content,
               const char* start, std::size_t skipped_bytes, Message& message,
               Findings& findings) noexcept {
  const auto rest = static_cast<std::size_t>(end - body);
  const auto head = static_cast<std::size_t>(body - start);
  if (content.is_bad || (framing == Framing::stream && !content.has_length)) {
    if (framing == Framing::datagram) {
      message.size = skipped_bytes + head + rest;
    } else if (!content.has_length) {
      findings.note(400, "Missing Content-Length");
    }
    return;
  }
  std::size_t length = rest;
  if (content.has_length) {
    if (framing == Framing::stream && content.length > Limits::message_bytes_max - head) {
      return findings.note(413, "Request Entity Too Large");
    }
    if (content.length > rest) {
      if (framing == Framing::datagram) {
        message.size = skipped_bytes + head + rest;
        return findings.note(400, "Content-Length beyond the datagram");
      }
      findings.fault = {Fault::Kind::incomplete, 0, "Incomplete body"};
      findings.is_fatal = true;
      return;
    }
    length = static_cast<std::size_t>(content.length);
  }
  message.body = {body, length};
  message.size = skipped_bytes + head + length;
}

}  // namespace

Method method_from(std::string_view token) noexcept {
  switch (token.size()) {
    case 3:
      if (token == "ACK") return Method::ack;
      if (token == "BYE") return Method::bye;
      break;
    case 4:
      if (token == "INFO") return Method::info;
      break;
    case 5:
      if (token == "PRACK") return Method::prack;
      if (token == "REFER") return Method::refer;
      break;
    case 6:
      if (token == "INVITE") return Method::invite;
      if (token == "CANCEL") return Method::cancel;
      if (token == "UPDATE") return Method::update;
      if (token == "NOTIFY") return Method::notify;
      break;
    case 7:
      if (token == "OPTIONS") return Method::options;
      if (token == "MESSAGE") return Method::message;
      if (token == "PUBLISH") return Method::publish;
      break;
    case 8:
      if (token == "REGISTER") return Method::register_;
      break;
    case 9:
      if (token == "SUBSCRIBE") return Method::subscribe;
      break;
    default:
      break;
  }
  return Method::unknown;
}

std::string_view method_name(Method method) noexcept {
  switch (method) {
    case Method::invite:
      return "INVITE";
    case Method::ack:
      return "ACK";
    case Method::bye:
      return "BYE";
    case Method::cancel:
      return "CANCEL";
    case Method::options:
      return "OPTIONS";
    case Method::register_:
      return "REGISTER";
    case Method::prack:
      return "PRACK";
    case Method::subscribe:
      return "SUBSCRIBE";
    case Method::notify:
      return "NOTIFY";
    case Method::publish:
      return "PUBLISH";
    case Method::info:
      return "INFO";
    case Method::refer:
      return "REFER";
    case Method::message:
      return "MESSAGE";
    case Method::update:
      return "UPDATE";
    case Method::unknown:
      break;
  }
  return "";
}

const Header* Message::find(HeaderId id) const noexcept {
  for (std::size_t i = 0; i < header_count; ++i) {
    if (headers[i].id == id) return &headers[i];
  }
  return nullptr;
}

Fault scan(std::string_view bytes, Framing framing, Message& message) noexcept {
  reset(message);
  const char* const begin = bytes.data();
  const char* end = begin + bytes.size();
  const char* start = begin;
  while (end - start >= 2 && start[0] == '\r' && start[1] == '\n')
    start += 2;
  if (start == end) {
    message.size = bytes.size();
    if (framing == Framing::stream && bytes.empty())
      return {Fault::Kind::incomplete, 0, "Nothing yet"};
    return {Fault::Kind::drop, 400, "Keep-alive"};
  }
  if (framing == Framing::stream) {
    const std::size_t head_end = bytes.find("\r\n\r\n", static_cast<std::size_t>(start - begin));
    const std::size_t head_bytes = (head_end == std::string_view::npos ? bytes.size() : head_end) -
                                   static_cast<std::size_t>(start - begin);
    if (head_bytes > Limits::stream_head_bytes_max)
      return {Fault::Kind::drop, 513, "Message head too long"};
    if (head_end == std::string_view::npos) return {Fault::Kind::incomplete, 0, "Incomplete head"};
  } else if (bytes.size() > Limits::message_bytes_max) {
    return {Fault::Kind::drop, 513, "Message too long"};
  }

  Findings findings;
  Lines lines(start, end);
  std::string_view line;
  Lines::Step step = lines.next(line);
  if (step != Lines::Step::line || lines.has_controls() || lines.has_bare_line_end()) {
    findings.fatal("Not SIP");
  } else if (starts_with_ignoring_case(line, "SIP/")) {
    scan_status_line(line, message, findings);
  } else {
    scan_request_line(line, message, findings);
  }
  if (findings.is_fatal && framing == Framing::datagram) return findings.fault;

  std::uint64_t seen = 0;
  Content content;
  while (step == Lines::Step::line) {
    step = lines.next(line);
    if (step == Lines::Step::end_of_head) break;
    if (step == Lines::Step::cut) {
      findings.note(400, "Missing empty line");
      if (line.empty()) break;
    }
    if (lines.has_bare_line_end()) {
      findings.note(400, "Bare CR or LF");
      continue;
    }
    if (message.header_count == Limits::headers_max) {
      findings.note(400, "Too many header lines");
      // A stream still needs to know where the message ends, and two lengths must still be told
      // from one.
      Header extra;
      if (split_header(line, extra) && extra.id == HeaderId::content_length) {
        scan_header(extra, seen, content, message, findings);
      }
      continue;
    }
    Header& header = message.headers[message.header_count];
    if (!split_header(line, header)) {
      findings.note(400, "Malformed header line");
      continue;
    }
    if (lines.has_controls() && !controls_are_quoted(header.value)) {
      findings.note(400, "Control character in a header");
      continue;
    }
    ++message.header_count;
    scan_header(header, seen, content, message, findings);
  }

  scan_body(lines.position(), end, framing, content, start, static_cast<std::size_t>(start - begin),
            message, findings);
  if (findings.is_fatal) return findings.fault;

  if (message.via_count == 0) {
    findings.fatal("Missing Via");
  } else if (message.from.value.empty()) {
    findings.fatal("Missing From");
  } else if (message.to.value.empty()) {
    findings.fatal("Missing To");
  } else if (message.call_id.empty()) {
    findings.fatal("Missing Call-ID");
  } else if ((seen & bit(HeaderId::cseq)) == 0) {
    findings.fatal("Missing CSeq");
  } else if (message.is_request) {
    if (message.cseq_method_token != message.method_token) {
      findings.note(400, "CSeq does not name the method");
    } else if (message.vias[0].branch == "z9hG4bK") {
      findings.note(400, "Via branch without an identifier");
    }
  } else {
    message.method = message.cseq_method;
    message.method_token = message.cseq_method_token;
  }
  // A response is never answered, and an ACK neither (RFC 3261 section 17).
  if (findings.fault.kind == Fault::Kind::answer &&
      (!message.is_request || message.method == Method::ack)) {
    findings.fault.kind = Fault::Kind::drop;
  }
  return findings.fault;
}

bool scan_owner(std::string_view bytes, OwnerKey& key) noexcept {
  key = OwnerKey{};
  const char* start = bytes.data();
  const char* const end = start + bytes.size();
  while (end - start >= 2 && start[0] == '\r' && start[1] == '\n')
    start += 2;
  Lines lines(start, end);
  std::string_view line;
  if (lines.next(line) != Lines::Step::line || lines.has_bare_line_end()) return false;
  key.is_request = !starts_with_ignoring_case(line, "SIP/");
  bool has_via = false;
  bool has_to = false;
  while (lines.next(line) == Lines::Step::line) {
    Header header;
    if (lines.has_bare_line_end() || !split_header(line, header)) continue;
    const char* p = header.value.data();
    const char* const value_end = p + header.value.size();
    if (header.id == HeaderId::via && !has_via) {
      Via via;
      if (take_via(p, value_end, via) != ViaState::good) return false;
      has_via = true;
      key.branch = via.branch;
    } else if (header.id == HeaderId::to && !has_to) {
      NameAddress to;
      if (!take_name_address(p, value_end, to)) return false;
      has_to = true;
      key.to_tag = to.tag;
    } else if (header.id == HeaderId::call_id && key.call_id.empty()) {
      key.call_id = header.value;
    }
    if (has_via && has_to && !key.call_id.empty()) return true;
  }
  return false;
}

bool parse_via(std::string_view value, Via& via) noexcept {
  const char* p = value.data();
  const char* const end = p + value.size();
  return take_via(p, end, via) == ViaState::good && p == end;
}

bool parse_name_address(std::string_view value, NameAddress& address) noexcept {
  const char* p = value.data();
  const char* const end = p + value.size();
  return take_name_address(p, end, address) && p == end;
}

bool parse_uri(std::string_view text, Uri& uri) noexcept {
  uri = Uri{};
  if (!has_scheme(text)) return false;
  const char* p = text.data();
  const char* const end = p + text.size();
  const std::size_t colon = text.find(':');
  uri.scheme = text.substr(0, colon);
  p += colon + 1;
  for (const char* q = p; q != end; ++q) {
    if (!is(*q, class_uri)) return false;
    if (*q == '%' && (end - q < 3 || !is(q[1], class_hex) || !is(q[2], class_hex))) return false;
  }
  if (!equals_ignoring_case(uri.scheme, "sip") && !equals_ignoring_case(uri.scheme, "sips")) {
    const std::string_view rest = between(p, end);
    const std::size_t semicolon = rest.find(';');
    uri.user = rest.substr(0, semicolon);
    if (semicolon != std::string_view::npos) uri.params = rest.substr(semicolon);
    return true;
  }
  const char* const at =
      static_cast<const char*>(std::memchr(p, '@', static_cast<std::size_t>(end - p)));
  if (at != nullptr) {
    const char* const user = p;
    p = skip(p, at, class_user);
    uri.user = between(user, p);
    if (*p == ':') {
      const char* const password = ++p;
      p = skip(p, at, class_user);
      uri.password = between(password, p);
    }
    if (p != at) return false;
    p = at + 1;
  }
  p = take_host(p, end, uri.host);
  if (p == nullptr) return false;
  if (p != end && *p == ':') {
    p = take_port(p + 1, end, uri.port);
    if (p == nullptr) return false;
  }
  if (p != end && *p == ';') {
    const char* const params = p;
    while (p != end && *p != '?') {
      if (*p == '@') return false;
      ++p;
    }
    uri.params = between(params, p);
  }
  if (p != end && *p == '?') {
    uri.headers = between(p + 1, end);
    p = end;
    if (uri.headers.empty() || uri.headers.find('@') != std::string_view::npos) return false;
  }
  return p == end;
}

std::string_view find_param(std::string_view params, std::string_view name, bool* found) noexcept {
  if (found != nullptr) *found = false;
  const char* p = params.data();
  const char* const end = p + params.size();
  p = skip_blanks(p, end);
  while (p != end && *p == ';') {
    Parameter parameter;
    p = take_parameter(p + 1, end, parameter);
    if (p == nullptr) return {};
    if (equals_ignoring_case(parameter.name, name)) {
      if (found != nullptr) *found = true;
      return parameter.value;
    }
    p = skip_blanks(p, end);
  }
  return {};
}

std::string_view next_element(std::string_view& list) noexcept {
  bool in_brackets = false;
  const char* const begin = list.data();
  const char* const end = begin + list.size();
  const char* p = begin;
  while (p != end) {
    if (*p == '"' && !in_brackets) {
      const char* const behind = skip_quoted(p, end);
      p = behind == nullptr ? end : behind;
      continue;
    }
    if (*p == '<') in_brackets = true;
    if (*p == '>') in_brackets = false;
    if (*p == ',' && !in_brackets) break;
    ++p;
  }
  const std::string_view element = trimmed(between(begin, p));
  list = p == end ? std::string_view() : between(p + 1, end);
  return element;
}

bool list_has(std::string_view list, std::string_view word) noexcept {
  while (!list.empty()) {
    if (equals_ignoring_case(next_element(list), word)) return true;
  }
  return false;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace tandem::sip
