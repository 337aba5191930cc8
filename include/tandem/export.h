/* Symbol visibility. */
#ifndef TANDEM_EXPORT_H
#define TANDEM_EXPORT_H

#if defined(__GNUC__)
#define TANDEM_API __attribute__((visibility("default")))    /* a C function of the stable ABI */
#define TANDEM_EXPORT __attribute__((visibility("default"))) /* a C++ class of the source API */
#else
#define TANDEM_API
#define TANDEM_EXPORT
#endif

#endif
