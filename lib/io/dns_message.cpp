#include "io/dns_message.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace tandem::io::dns {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::size_t name_bytes_max = 255;  // on the wire, with the root's length byte
constexpr std::size_t label_bytes_max = 63;
constexpr int pointers_max = 16;
constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t type_soa = 6;
constexpr std::uint16_t type_opt = 41;

bool is_label_character(char c) noexcept {
  return c > 0x20 && c < 0x7f && c != '.' && c != '\\' && c != '"';
}

void append_u16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8U & 0xffU);
  out += static_cast<char>(value & 0xffU);
}

/// Reads forward within one message. After the first fault everything reads as nothing, so that
/// only the end of a step asks whether it went well.
class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : bytes_(bytes), end_(bytes.size()) {}

  [[nodiscard]] bool is_good() const noexcept { return fault_ == nullptr; }
  [[nodiscard]] std::size_t at() const noexcept { return at_; }
  [[nodiscard]] bool is_at_end() const noexcept { return at_ == end_; }
  [[nodiscard]] Error error() const {
    return {ErrorCode::corrupt,
            "DNS response had " + std::string(fault_) + " at byte " + std::to_string(at_)};
  }
  void fail(const char* fault) noexcept {
    if (fault_ == nullptr) fault_ = fault;
  }

  /// What follows ends before `end`, until end_limit() is called with the old one.
  std::size_t limit(std::size_t length) noexcept {
    const std::size_t before = end_;
    if (length > end_ - at_) {
      fail("a record beyond its end");
    } else {
      end_ = at_ + length;
    }
    return before;
  }
  void end_limit(std::size_t before) noexcept { end_ = before; }
  void skip_to_end() noexcept {
    if (is_good()) at_ = end_;
  }

  std::uint8_t u8() noexcept {
    if (!has(1)) return 0;
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint16_t u16() noexcept {
    if (!has(2)) return 0;
    const unsigned value = byte_at(at_) << 8U | byte_at(at_ + 1);
    at_ += 2;
    return static_cast<std::uint16_t>(value);
  }
  std::uint32_t u32() noexcept {
    const std::uint32_t high = u16();
    return high << 16U | u16();
  }
  std::string_view take(std::size_t length) noexcept {
    if (!has(length)) return {};
    at_ += length;
    return bytes_.substr(at_ - length, length);
  }
  std::string text() { return std::string(take(u8())); }

  /// A name, compressed or not. Pointers may lead outside of a limit, but only backwards: each to
  /// before the lowest place that this name was read from.
  /// Of whose text nobody asks: mailboxes may have any character (RFC 1035 section 8).
  void skip_name() noexcept {
    for (;;) {
      const unsigned length = u8();
      if (!is_good() || length == 0) return;
      if ((length & 0xc0U) == 0xc0U) return (void)u8();
      if (length > label_bytes_max) return fail("a label of unknown kind");
      (void)take(length);
    }
  }
  std::string name() {
    std::string out;
    std::size_t place = at_;
    std::size_t lowest = at_;
    std::size_t wire_bytes = 1;
    std::optional<std::size_t> after;  // where reading goes on once a pointer was followed
    int pointers = 0;
    for (;;) {
      const std::size_t end = after ? bytes_.size() : end_;
      if (!is_good() || place >= end) return fail("a name beyond its end"), std::string();
      const unsigned length = byte_at(place);
      if ((length & 0xc0U) == 0xc0U) {
        if (end - place < 2) return fail("half a pointer"), std::string();
        const std::size_t target = (length & 0x3fU) << 8U | byte_at(place + 1);
        if (!after) after = place + 2;
        if (target >= lowest || target < header_bytes || ++pointers > pointers_max)
          return fail("a pointer that leads nowhere"), std::string();
        place = lowest = target;
        continue;
      }
      if (length > label_bytes_max) return fail("a label of unknown kind"), std::string();
      ++place;
      if (length == 0) break;
      wire_bytes += 1 + length;
      if (length > end - place || wire_bytes > name_bytes_max)
        return fail("a name too long"), std::string();
      const std::string_view label = bytes_.substr(place, length);
      if (!std::all_of(label.begin(), label.end(), is_label_character))
        return fail("a name that is no text"), std::string();
      if (!out.empty()) out += '.';
      out += label;
      place += length;
    }
    at_ = after.value_or(place);
    return out;
  }

 private:
  [[nodiscard]] unsigned byte_at(std::size_t place) const noexcept {
    return static_cast<unsigned char>(bytes_[place]);
  }
  bool has(std::size_t length) noexcept {
    if (is_good() && length > end_ - at_) fail("an end too early");
    return is_good();
  }

  const std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t end_;
  const char* fault_ = nullptr;
};

IpAddress address_of(std::string_view bytes) noexcept {
  IpAddress address;
  address.family = bytes.size() == 4 ? IpAddress::Family::ipv4 : IpAddress::Family::ipv6;
  std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
  return address;
}

/// What a SOA record says of how long there is nothing; its limit is set.
std::uint32_t read_negative_ttl(Reader& reader, std::uint32_t ttl_s) {
  reader.skip_name();          // server
  reader.skip_name();          // mailbox
  for (int i = 0; i < 4; ++i)  // serial number, and what secondary servers go by
    (void)reader.u32();
  return std::min(reader.u32(), ttl_s);
}

/// The data of a record; its limit is set. False: not of a kind that is kept.
bool read_data(Reader& reader, std::uint16_t type, Record& record) {
  switch (static_cast<RecordType>(type)) {
    case RecordType::a:
      record.data = address_of(reader.take(4));
      return true;
    case RecordType::aaaa:
      record.data = address_of(reader.take(16));
      return true;
    case RecordType::cname:
      record.data = Alias{reader.name()};
      return true;
    case RecordType::srv: {
      Service service;
      service.priority = reader.u16();
      service.weight = reader.u16();
      service.port = reader.u16();
      service.target = reader.name();
      record.data = std::move(service);
      return true;
    }
    case RecordType::naptr: {
      NamingAuthority authority;
      authority.order = reader.u16();
      authority.preference = reader.u16();
      authority.flags = reader.text();
      authority.services = reader.text();
      authority.regexp = reader.text();
      authority.replacement = reader.name();
      record.data = std::move(authority);
      return true;
    }
  }
  reader.skip_to_end();
  return false;
}

}  // namespace

bool is_name(std::string_view text) noexcept {
  if (text.empty()) return true;
  if (text.size() + 2 > name_bytes_max) return false;
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
    } else if (!is_label_character(c) || ++label > label_bytes_max) {
      return false;
    }
  }
  return label > 0;
}

RecordType Record::type() const noexcept {
  switch (data.index()) {
    case 0:
      return std::get_if<IpAddress>(&data)->is_ipv4() ? RecordType::a : RecordType::aaaa;
    case 1:
      return RecordType::cname;
    case 2:
      return RecordType::srv;
    default:
      return RecordType::naptr;
  }
}

Result<std::string> encode_query(std::uint16_t id, const Question& question) {
  if (!is_name(question.name))
    return Error{ErrorCode::invalid_argument, "\"" + question.name + "\" is no name of DNS"};
  std::string out;
  append_u16(out, id);
  append_u16(out, 0x0100);                   // recursion desired
  for (const unsigned count : {1, 0, 0, 1})  // questions, answers, authorities, additional
    append_u16(out, count);
  for (std::string_view rest = question.name; !rest.empty();) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    rest.remove_prefix(std::min(rest.size(), label.size() + 1));
  }
  out += '\0';
  append_u16(out, static_cast<unsigned>(question.type));
  append_u16(out, class_in);
  out += '\0';  // OPT belongs to the root
  append_u16(out, type_opt);
  append_u16(out, udp_payload_bytes);
  append_u16(out, 0);  // extended code and version
  append_u16(out, 0);  // flags
  append_u16(out, 0);  // no options
  return out;
}

Result<Response> decode_response(std::string_view bytes) {
  Reader reader(bytes);
  Response response;
  response.id = reader.u16();
  const unsigned flags = reader.u16();
  const unsigned questions = reader.u16();
  const std::size_t answers = reader.u16();
  const std::size_t authorities = reader.u16();
  const std::size_t additional = reader.u16();
  response.code = static_cast<int>(flags & 0xfU);
  response.is_truncated = (flags & 0x0200U) != 0;
  if (reader.is_good() && (flags & 0x8000U) == 0) reader.fail("a question where an answer was due");
  if (reader.is_good() && (flags & 0x7800U) != 0) reader.fail("an operation that is no query");
  if (reader.is_good() && questions != 1) reader.fail("another number of questions than one");
  response.question.name = reader.name();
  response.question.type = static_cast<RecordType>(reader.u16());
  if (reader.u16() != class_in) reader.fail("another class than IN");
  if (!reader.is_good()) return reader.error();
  if (response.is_truncated) return response;
  const std::size_t records = answers + authorities + additional;
  if (records > records_max) {
    return Error{ErrorCode::limit, "DNS response had " + std::to_string(records) +
                                       " records, more than " + std::to_string(records_max)};
  }
  for (std::size_t i = 0; i < records && reader.is_good(); ++i) {
    Record record;
    record.name = reader.name();
    const std::uint16_t type = reader.u16();
    const std::uint16_t record_class = reader.u16();
    const std::uint32_t ttl_s = reader.u32();
    record.ttl_s = ttl_s > 0x7fffffffU ? 0 : ttl_s;
    const std::size_t before = reader.limit(reader.u16());
    const bool is_authority = i >= answers && i < answers + authorities;
    bool is_kept = false;
    if (record_class == class_in && is_authority && type == type_soa) {
      const std::uint32_t negative_ttl_s = read_negative_ttl(reader, record.ttl_s);
      if (!response.negative_ttl_s) response.negative_ttl_s = negative_ttl_s;
    } else if (record_class == class_in && !is_authority) {
      is_kept = read_data(reader, type, record);
    } else {
      if (type == type_opt) response.code |= static_cast<int>(ttl_s >> 24U) << 4U;
      reader.skip_to_end();
    }
    if (reader.is_good() && !reader.is_at_end()) reader.fail("a record longer than what it holds");
    reader.end_limit(before);
    if (!is_kept || !reader.is_good()) continue;
    response.records.push_back(std::move(record));
    if (i < answers) ++response.answers;
  }
  if (reader.is_good() && !reader.is_at_end()) reader.fail("bytes behind its records");
  if (!reader.is_good()) return reader.error();
  return response;
}

bool is_answer_to(const Response& response, std::uint16_t id, const Question& question) noexcept {
  return response.id == id && response.question.type == question.type &&
         equals_ignoring_case(response.question.name, question.name);
}

Chain follow_aliases(const Response& response, std::string_view name, RecordType type) {
  Chain chain;
  chain.end = name;
  while (chain.aliases <= aliases_max) {
    const Record* alias = nullptr;
    for (std::size_t i = 0; i < response.answers; ++i) {
      const Record& record = response.records[i];
      if (!equals_ignoring_case(record.name, chain.end)) continue;
      if (record.type() == type) {
        chain.records.push_back(&record);
        chain.ttl_s = std::min(chain.ttl_s, record.ttl_s);
      } else if (record.type() == RecordType::cname && alias == nullptr) {
        alias = &record;
      }
    }
    if (!chain.records.empty() || alias == nullptr) break;
    chain.ttl_s = std::min(chain.ttl_s, alias->ttl_s);
    chain.end = std::get_if<Alias>(&alias->data)->target;
    ++chain.aliases;
  }
  return chain;
}

}  // namespace tandem::io::dns
