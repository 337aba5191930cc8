#include "sip/digest_hash.hpp"

#include <openssl/evp.h>

#include <memory>

namespace tandem::sip {
namespace {

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

}  // namespace

Hash hash_of(DigestAlgorithm algorithm, std::initializer_list<std::string_view> parts) noexcept {
  Hash hash;
  const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
  const EVP_MD* const type = algorithm == DigestAlgorithm::md5 ? EVP_md5() : EVP_sha256();
  if (!context || EVP_DigestInit_ex(context.get(), type, nullptr) != 1) return hash;
  for (std::string_view part : parts) {
    if (EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) return hash;
  }
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context.get(), hash.bytes.data(), &size) == 1) hash.size = size;
  return hash;
}

Hash keyed_hash(std::span<const std::uint8_t> key,
                std::initializer_list<std::string_view> parts) noexcept {
  constexpr std::size_t block_bytes = 64;
  std::array<char, block_bytes> inner{};
  std::array<char, block_bytes> outer{};
  for (std::size_t i = 0; i < block_bytes; ++i) {
    const std::uint8_t byte = i < key.size() ? key[i] : std::uint8_t{0};
    inner[i] = static_cast<char>(byte ^ 0x36);
    outer[i] = static_cast<char>(byte ^ 0x5C);
  }
  Hash hash;
  if (key.size() > block_bytes) return hash;
  const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), inner.data(), inner.size()) != 1) {
    return hash;
  }
  for (std::string_view part : parts) {
    std::array<char, 4> length{};
    for (std::size_t b = 0; b < length.size(); ++b)
      length[b] = static_cast<char>(part.size() >> (8 * b));
    if (EVP_DigestUpdate(context.get(), length.data(), length.size()) != 1 ||
        EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) {
      return hash;
    }
  }
  Hash middle;
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context.get(), middle.bytes.data(), &size) != 1 ||
      EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), outer.data(), outer.size()) != 1 ||
      EVP_DigestUpdate(context.get(), middle.bytes.data(), size) != 1 ||
      EVP_DigestFinal_ex(context.get(), hash.bytes.data(), &size) != 1) {
    return hash;
  }
  hash.size = size;
  return hash;
}

}  // namespace tandem::sip
