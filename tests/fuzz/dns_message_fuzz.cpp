// Answers of name servers. Whatever comes, names are names, and what was asked for is found or not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "io/dns_message.hpp"

namespace {

using namespace tandem::io;

void check(bool holds) {
  if (!holds) std::abort();
}

struct CheckData {
  void operator()(const tandem::IpAddress& address) const {
    check(address.is_ipv4() || address.is_ipv6());
  }
  void operator()(const dns::Alias& alias) const { check(dns::is_name(alias.target)); }
  void operator()(const dns::Service& service) const { check(dns::is_name(service.target)); }
  void operator()(const dns::NamingAuthority& authority) const {
    check(dns::is_name(authority.replacement));
    check(authority.flags.size() <= 255 && authority.regexp.size() <= 255);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto read = dns::decode_response({reinterpret_cast<const char*>(bytes), size});
  if (!read) return 0;
  check(dns::is_name(read->question.name));
  check(read->records.size() <= dns::records_max);
  check(!read->is_truncated || read->records.empty());
  for (const dns::Record& record : read->records) {
    check(dns::is_name(record.name));
    check(record.ttl_s <= 0x7fffffffU);
    std::visit(CheckData{}, record.data);
  }
  check(read->answers <= read->records.size());
  for (std::size_t i = 0; i < read->answers; ++i) {
    const dns::Record& record = read->records[i];
    check(!dns::follow_aliases(*read, record.name, record.type()).records.empty());
  }
  check(dns::follow_aliases(*read, read->question.name, dns::RecordType::a).aliases <=
        dns::aliases_max + 1);
  // The question comes back as it was asked.
  auto query = dns::encode_query(read->id, read->question);
  check(query.ok());
  (*query)[2] = static_cast<char>(0x81);  // it becomes an answer without records
  const auto echo = dns::decode_response(*query);
  check(echo.ok() && dns::is_answer_to(*echo, read->id, read->question) && echo->records.empty());
  return 0;
}
