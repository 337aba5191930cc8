// Certificates that a test makes for itself: no key is ever older than the test.
#pragma once

#include <doctest/doctest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace tandem::test {

/// What a certificate says.
struct CertificateWish {
  std::string names;  ///< "DNS:a.example,URI:sip:a.example,IP:127.0.0.1"; "": it has none.
  std::string common_name = "test";
  std::int64_t begins_at_s = 0;
  std::int64_t ends_at_s = 4'000'000'000;
  bool has_rsa_key = false;  ///< Else one on P-256.
};

/// A folder with PEM files, gone with the object.
class Certificates {
 public:
  struct Files {
    std::string certificate, key;
  };

  Certificates() {
    std::string folder = (std::filesystem::temp_directory_path() / "tandem-tls-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  /// File of the authority of that name, which is made when it is asked for first.
  std::string authority(const std::string& name = "ca") {
    (void)signer(name);
    return path(name + ".pem");
  }
  /// A certificate of that authority; "": signed by itself. `name`: of its files.
  Files issue(const std::string& name, const CertificateWish& wish, const std::string& by = "ca") {
    const Key key(wish.has_rsa_key ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free);
    const Signer* const issuer = by.empty() ? nullptr : &signer(by);
    const Certificate made = make(wish, key.get(), issuer, false);
    write(name, made.get(), key.get());
    return {path(name + ".pem"), path(name + ".key")};
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
  using Certificate = std::unique_ptr<X509, void (*)(X509*)>;
  struct Signer {
    Key key;
    Certificate certificate;
  };

  const Signer& signer(const std::string& name) {
    const auto known = signers_.find(name);
    if (known != signers_.end()) return known->second;
    Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    CertificateWish wish;
    wish.common_name = name;
    Certificate made = make(wish, key.get(), nullptr, true);
    write(name, made.get(), key.get());
    return signers_.emplace(name, Signer{std::move(key), std::move(made)}).first->second;
  }

  Certificate make(const CertificateWish& wish, EVP_PKEY* key, const Signer* issuer,
                   bool is_authority) {
    Certificate made(X509_new(), X509_free);
    X509* const x = made.get();
    REQUIRE(x != nullptr);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial_);
    ASN1_TIME_set(X509_getm_notBefore(x), static_cast<time_t>(wish.begins_at_s));
    ASN1_TIME_set(X509_getm_notAfter(x), static_cast<time_t>(wish.ends_at_s));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                               -1, 0);
    X509* const signed_by = issuer != nullptr ? issuer->certificate.get() : x;
    X509_set_issuer_name(x, X509_get_subject_name(signed_by));
    X509_set_pubkey(x, key);
    X509V3_CTX context;
    X509V3_set_ctx(&context, signed_by, x, nullptr, nullptr, 0);
    const auto add = [&](int kind, const std::string& value) {
      X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
      REQUIRE(extension != nullptr);
      X509_add_ext(x, extension, -1);
      X509_EXTENSION_free(extension);
    };
    add(NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (!wish.names.empty()) add(NID_subject_alt_name, wish.names);
    REQUIRE(X509_sign(x, issuer != nullptr ? issuer->key.get() : key, EVP_sha256()) > 0);
    return made;
  }

  void write(const std::string& name, X509* certificate, EVP_PKEY* key) const {
    std::FILE* out = std::fopen(path(name + ".pem").c_str(), "w");
    REQUIRE(out != nullptr);
    PEM_write_X509(out, certificate);
    std::fclose(out);
    out = std::fopen(path(name + ".key").c_str(), "w");
    REQUIRE(out != nullptr);
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
  }

  std::string folder_;
  std::map<std::string, Signer> signers_;
  long serial_ = 0;
};

}  // namespace tandem::test
