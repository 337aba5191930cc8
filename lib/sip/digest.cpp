#include "sip/digest.hpp"

#include <charconv>

#include "sip/digest_hash.hpp"
#include "sip/message.hpp"

namespace tandem::sip {
namespace {

constexpr std::size_t value_bytes_max = 4096;
constexpr std::size_t nonce_time_chars = 16;
constexpr std::size_t nonce_hash_bytes = 16;
constexpr std::size_t nonce_chars = nonce_time_chars + 2 * nonce_hash_bytes;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void skip_blanks(std::string_view& text) noexcept {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
}

std::string hex(const std::uint8_t* bytes, std::size_t size) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * size);
  for (std::size_t i = 0; i < size; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

std::string hex(std::uint64_t number) {
  std::uint8_t bytes[8];
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i));
  return hex(bytes, sizeof bytes);
}

// Tells nothing by its duration about where two texts of one length differ.
bool equals_in_constant_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

// Reads token or quoted-string; false when malformed.
bool take_value(std::string_view& rest, std::string& value) {
  value.clear();
  if (!rest.empty() && rest.front() == '"') {
    rest.remove_prefix(1);
    while (!rest.empty()) {
      char c = rest.front();
      rest.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\') {
        if (rest.empty()) return false;
        c = rest.front();
        rest.remove_prefix(1);
      }
      // A folded line inside quotes, or a byte that could end a line of ours, has no use in any of
      // these values.
      if (c == '\r' || c == '\n' || c == '\0') return false;
      value += c;
    }
    return false;
  }
  while (!rest.empty() && !is_blank(rest.front()) && rest.front() != ',' && rest.front() != '"') {
    value += rest.front();
    rest.remove_prefix(1);
  }
  return !value.empty();
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

bool can_be_sent(std::string_view text) noexcept {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  }
  return true;
}

// Whether "auth" is in a list such as "auth,auth-int".
bool offers_auth(std::string_view list) noexcept {
  while (!list.empty()) {
    if (equals_ignoring_case(next_element(list), "auth")) return true;
  }
  return false;
}

std::string_view user_of(std::string_view uri) noexcept {
  Uri parsed;
  return parse_uri(uri, parsed) ? parsed.user.substr(0, parsed.user.find(';')) : std::string_view();
}

}  // namespace

std::string_view digest_algorithm_name(DigestAlgorithm algorithm) noexcept {
  return algorithm == DigestAlgorithm::md5 ? "MD5" : "SHA-256";
}

Result<DigestValue> parse_digest(std::string_view value) {
  const auto malformed = [](const char* what) {
    return Error{ErrorCode::invalid_argument, std::string("digest value was malformed: ") + what};
  };
  if (value.size() > value_bytes_max) return malformed("longer than 4096 bytes");
  std::string_view rest = value;
  skip_blanks(rest);
  std::size_t scheme_size = 0;
  while (scheme_size < rest.size() && !is_blank(rest[scheme_size]))
    ++scheme_size;
  if (!equals_ignoring_case(rest.substr(0, scheme_size), "Digest")) {
    return Error{ErrorCode::unsupported, "the authentication scheme was not Digest"};
  }
  rest.remove_prefix(scheme_size);
  DigestValue digest;
  unsigned seen = 0;
  std::string algorithm;
  std::string stale;
  const struct {
    std::string_view name;
    std::string* target;
  } known[] = {
      {"username", &digest.username}, {"realm", &digest.realm},       {"nonce", &digest.nonce},
      {"uri", &digest.uri},           {"response", &digest.response}, {"cnonce", &digest.cnonce},
      {"opaque", &digest.opaque},     {"qop", &digest.qop},           {"nc", &digest.nc},
      {"domain", &digest.domain},     {"algorithm", &algorithm},      {"stale", &stale},
  };
  std::string text;
  for (;;) {
    skip_blanks(rest);
    std::size_t name_size = 0;
    while (name_size < rest.size() && !is_blank(rest[name_size]) && rest[name_size] != '=' &&
           rest[name_size] != ',') {
      ++name_size;
    }
    const std::string_view name = rest.substr(0, name_size);
    rest.remove_prefix(name_size);
    skip_blanks(rest);
    if (name.empty() || rest.empty() || rest.front() != '=')
      return malformed("a parameter without a value");
    rest.remove_prefix(1);
    skip_blanks(rest);
    if (!take_value(rest, text)) return malformed("a value without an end");
    for (std::size_t i = 0; i < std::size(known); ++i) {
      if (!equals_ignoring_case(name, known[i].name)) continue;
      if ((seen & (1U << i)) != 0) return malformed("a parameter twice");
      seen |= 1U << i;
      *known[i].target = text;
    }
    skip_blanks(rest);
    if (rest.empty()) break;
    if (rest.front() != ',') return malformed("no comma between parameters");
    rest.remove_prefix(1);
  }
  if (equals_ignoring_case(algorithm, "SHA-256")) {
    digest.algorithm = DigestAlgorithm::sha256;
  } else {
    digest.has_known_algorithm = algorithm.empty() || equals_ignoring_case(algorithm, "MD5");
  }
  digest.is_stale = equals_ignoring_case(stale, "true");
  if (digest.realm.empty() && digest.nonce.empty()) return malformed("neither realm nor nonce");
  return digest;
}

std::string digest_hex(DigestAlgorithm algorithm, std::string_view data) {
  const Hash hash = hash_of(algorithm, {data});
  return hex(hash.bytes.data(), hash.size);
}

std::string digest_response(DigestAlgorithm algorithm, std::string_view username,
                            std::string_view realm, std::string_view password,
                            std::string_view method, std::string_view uri, std::string_view nonce,
                            std::string_view nc, std::string_view cnonce, std::string_view qop) {
  const auto hex_of = [algorithm](std::initializer_list<std::string_view> parts) {
    const Hash hash = hash_of(algorithm, parts);
    return hex(hash.bytes.data(), hash.size);
  };
  const std::string a1 = hex_of({username, ":", realm, ":", password});
  const std::string a2 = hex_of({method, ":", uri});
  if (a1.empty() || a2.empty()) return {};
  if (qop.empty()) return hex_of({a1, ":", nonce, ":", a2});
  return hex_of({a1, ":", nonce, ":", nc, ":", cnonce, ":", qop, ":", a2});
}

DigestServer::Secret DigestServer::make_secret(Random& random) noexcept {
  Secret secret{};
  for (std::size_t i = 0; i < secret.size(); i += 8) {
    const std::uint64_t word = random.next();
    for (std::size_t b = 0; b < 8; ++b)
      secret[i + b] = static_cast<std::uint8_t>(word >> (8 * b));
  }
  return secret;
}

std::string DigestServer::nonce(std::string_view realm, std::string_view binding,
                                std::uint64_t time_us) const {
  const std::string time = hex(time_us);
  const Hash hash = keyed_hash(secret_, {time, realm, binding});
  if (hash.size < nonce_hash_bytes) return {};
  return time + hex(hash.bytes.data(), nonce_hash_bytes);
}

std::string DigestServer::challenge(std::string_view realm, std::string_view binding,
                                    std::int64_t now_us, bool stale,
                                    DigestAlgorithm algorithm) const {
  std::string out = "Digest realm=" + quoted(realm);
  out += ", nonce=\"" + nonce(realm, binding, static_cast<std::uint64_t>(now_us)) + '"';
  out += ", algorithm=";
  out += digest_algorithm_name(algorithm);
  out += ", qop=\"auth\"";
  if (stale) out += ", stale=true";
  return out;
}

DigestVerdict DigestServer::verify(const Request& request, std::string_view username,
                                   std::string_view password, std::string_view realm,
                                   NonceUse* use) const {
  const Result<DigestValue> parsed = parse_digest(request.authorization);
  if (!parsed.ok()) return DigestVerdict::challenge;
  const DigestValue& given = *parsed;
  if (!given.has_known_algorithm || given.realm != realm || given.nonce.size() != nonce_chars) {
    return DigestVerdict::challenge;
  }
  // No qop is the form of RFC 2069, which RFC 3261 section 22.4 keeps alive; "auth-int" is not
  // offered.
  if (!given.qop.empty() && !equals_ignoring_case(given.qop, "auth"))
    return DigestVerdict::challenge;
  if (!given.qop.empty() && (given.nc.empty() || given.cnonce.empty()))
    return DigestVerdict::challenge;

  std::uint64_t time_us = 0;
  const char* const time_end = given.nonce.data() + nonce_time_chars;
  const auto read = std::from_chars(given.nonce.data(), time_end, time_us, 16);
  if (read.ec != std::errc() || read.ptr != time_end) return DigestVerdict::challenge;
  const std::string expected_nonce = nonce(realm, request.binding, time_us);
  if (expected_nonce.empty() || !equals_in_constant_time(expected_nonce, given.nonce))
    return DigestVerdict::challenge;

  const std::string expected =
      digest_response(given.algorithm, username, realm, password, request.method, given.uri,
                      given.nonce, given.nc, given.cnonce, given.qop);
  std::string response = given.response;
  for (char& c : response)
    c = c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c;
  const bool is_right = !expected.empty() && equals_in_constant_time(expected, response);
  if (!is_right || given.username != username) return DigestVerdict::wrong;

  // Elements on the way rewrite host, port and parameters of the Request-URI, so only the user part
  // must agree: it is the number that somebody pays for. Some name the host alone (observed: SIPp
  // 3.6), which RFC 3261 section 22.4 item 8 does not make a failure.
  const std::string_view signed_user = user_of(given.uri);
  if (!signed_user.empty() && signed_user != user_of(request.uri)) return DigestVerdict::wrong;

  const auto now_us = static_cast<std::uint64_t>(request.now_us);
  if (time_us > now_us || now_us - time_us > static_cast<std::uint64_t>(nonce_lifetime_us))
    return DigestVerdict::stale;
  if (use != nullptr) {
    use->issued_us = request.now_us - static_cast<std::int64_t>(now_us - time_us);
    use->count = 1;
    if (!given.qop.empty() && !given.nc.empty()) {  // without qop nothing vouches for it
      const char* const count_end = given.nc.data() + given.nc.size();
      const auto count = std::from_chars(given.nc.data(), count_end, use->count, 16);
      if (count.ec != std::errc() || count.ptr != count_end) return DigestVerdict::challenge;
    }
  }
  return DigestVerdict::verified;
}

Result<DigestAnswer> answer_challenge(std::string_view challenge, std::string_view username,
                                      std::string_view password, std::string_view method,
                                      std::string_view uri, std::uint32_t nc, Random& random) {
  Result<DigestValue> parsed = parse_digest(challenge);
  if (!parsed.ok()) return std::move(parsed).error();
  const DigestValue& asked = *parsed;
  if (!asked.has_known_algorithm)
    return Error{ErrorCode::unsupported, "the digest algorithm was neither MD5 nor SHA-256"};
  if (!asked.qop.empty() && !offers_auth(asked.qop)) {
    return Error{ErrorCode::unsupported, "the challenge did not offer qop auth"};
  }
  if (asked.nonce.empty()) return Error{ErrorCode::invalid_argument, "the challenge had no nonce"};
  if (!can_be_sent(username) || !can_be_sent(asked.realm) || !can_be_sent(asked.nonce) ||
      !can_be_sent(asked.opaque) || !can_be_sent(uri) || uri.find('"') != std::string_view::npos) {
    return Error{ErrorCode::invalid_argument, "a digest value had a control character"};
  }
  const std::string_view qop = asked.qop.empty() ? "" : "auth";
  const std::string count = hex(nc).substr(8);
  const std::string cnonce = qop.empty() ? std::string() : hex(random.next());
  const std::string response = digest_response(asked.algorithm, username, asked.realm, password,
                                               method, uri, asked.nonce, count, cnonce, qop);
  if (response.empty()) return Error{ErrorCode::unsupported, "the hash was refused by the system"};

  DigestAnswer answer;
  answer.is_stale = asked.is_stale;
  std::string& out = answer.value;
  out = "Digest username=" + quoted(username);
  out += ", realm=" + quoted(asked.realm);
  out += ", nonce=" + quoted(asked.nonce);
  out += ", uri=" + quoted(uri);
  out += ", response=\"" + response + '"';
  out += ", algorithm=";
  out += digest_algorithm_name(asked.algorithm);
  if (!qop.empty()) out += ", cnonce=\"" + cnonce + "\", qop=auth, nc=" + count;
  if (!asked.opaque.empty()) out += ", opaque=" + quoted(asked.opaque);
  return answer;
}

}  // namespace tandem::sip
