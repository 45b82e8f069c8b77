/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpullguard: may this container image be pulled onto, or started on, this node?
 *
 * The library asks pullguard's engine and brings its verdict back. It loads nothing but the C library, reads no
 * configuration, starts no thread, installs no signal or exit handler, writes nothing, and leaves neither a child
 * process nor a descriptor behind. Whatever goes wrong (no engine, time-out, short or unknown answer, other version) is
 * a deny with that reason.
 *
 * Threads: ask() may be called from any number of threads at the same time; nothing is shared between calls.
 * Signals: ask() may be interrupted; it goes on waiting until its deadline.
 * Children: ask() may start one process and reaps it. A host that reaps all children itself (waitpid(-1)) does no harm.
 *
 * Compatibility: both structs begin with abi_version and struct_size, which the caller fills in. They grow at their
 * ends only; the library reads and writes no more than struct_size bytes. A caller built against an older header works
 * with a newer library of the same soname.
 *
 * Use:
 *
 *     const struct pullguard_api *api = pullguard_entry(PULLGUARD_ABI_VERSION);
 *     struct pullguard_request request = PULLGUARD_REQUEST_INIT;
 *     struct pullguard_verdict verdict = PULLGUARD_VERDICT_INIT;
 *
 *     request.reference = "registry.example.com/app:1";
 *     request.digest = "sha256:...";
 *     if (!api || api->ask(&request, &verdict) != PULLGUARD_ALLOW)
 *         refuse(verdict.message);
 */
#ifndef PULLGUARD_H
#define PULLGUARD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PULLGUARD_ABI_VERSION 1

/* What ask() returns. Compare with PULLGUARD_ALLOW only: every other number, known or not, is a deny. */
#define PULLGUARD_DENY 0
#define PULLGUARD_ALLOW 0x616c6c6f

/* pullguard_request.operation. Since ABI 1. */
#define PULLGUARD_PULL 1   /* the image is about to be pulled */
#define PULLGUARD_CREATE 2 /* a container is about to be made of an image that is already here */

/* pullguard_request.flags. Since ABI 1. */
#define PULLGUARD_NO_CACHE 0x1   /* decide anew, whatever was decided before */
#define PULLGUARD_NO_NETWORK 0x2 /* decide from what this node already knows */

/* pullguard_verdict.state. Since ABI 1. */
#define PULLGUARD_WARNED 0x1 /* let through by a policy in warn mode or by the no-match setting */
#define PULLGUARD_CACHED 0x2 /* decided before; nothing was fetched */

/*
 * One question. All strings are UTF-8, terminated, borrowed for the length of the call, and may be NULL (= not known)
 * unless said otherwise. Reserved members are zero.
 */
struct pullguard_request {
    uint32_t abi_version;   /* PULLGUARD_ABI_VERSION of the header the caller was built with */
    uint32_t struct_size;   /* sizeof(struct pullguard_request) */
    uint32_t operation;     /* PULLGUARD_PULL or PULLGUARD_CREATE */
    uint32_t flags;         /* PULLGUARD_NO_... */
    uint32_t deadline_ms;   /* milliseconds this call may take; 0 = 8000 */
    uint32_t reserved;
    const char *reference; /* the image as the user or the runtime wrote it, at most 1024 bytes; mandatory for a pull */
    const char *digest;     /* what will be pulled, "sha256:<64 hex digits>"; decides, whatever the tag says */
    const char *media_type; /* of that manifest */
    const char *runtime;    /* who asks: "containerd", "crio", "podman", "crun", or another short name */
    const char *username;   /* credentials of this one pull, for the reference's registry */
    const char *password;
    const char *identity_token; /* a refresh token instead of a password */
    const char *bundle;     /* for PULLGUARD_CREATE: the OCI bundle's directory, absolute */
    const char *container_id;
    const char
        *descriptor; /* the OCI descriptor of what will be pulled, JSON of at most 64 KiB; checked against digest */
    const char *root;       /* directory that stands for "/" in every path of pullguard; NULL = none */
};

/*
 * The answer. Owned by the caller; the strings are inside, terminated, cut to fit, without control characters, and may
 * be empty.
 */
struct pullguard_verdict {
    uint32_t abi_version;  /* set by the caller, as in the request */
    uint32_t struct_size;  /* sizeof(struct pullguard_verdict) */
    uint32_t decision;     /* the same number that ask() returns */
    uint32_t state;        /* PULLGUARD_WARNED, PULLGUARD_CACHED */
    uint32_t duration_us;  /* microseconds the engine worked */
    uint32_t reserved;
    char reason[32];       /* stable lower-case name: "ok", "no_signature", "wrong_key", "timeout", ... */
    char message[504];     /* one line for people */
    char digest[144];      /* the digest that was decided on */
    char policy[128];      /* name of the policy that decided */
    char key[256];         /* fingerprint or identity of the signer that satisfied it */
};

#define PULLGUARD_REQUEST_INIT                                                                                         \
    {                                                                                                                  \
        PULLGUARD_ABI_VERSION, (uint32_t)sizeof(struct pullguard_request), PULLGUARD_PULL, 0, 0, 0, 0, 0, 0, 0, 0, 0,  \
            0, 0, 0, 0, 0                                                                                              \
    }
#define PULLGUARD_VERDICT_INIT \
    { PULLGUARD_ABI_VERSION, (uint32_t)sizeof(struct pullguard_verdict), 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 } }

/* The entry table. Grows at its end only; read no member beyond struct_size. */
struct pullguard_api {
    uint32_t abi_version; /* of the library, at least the one asked for */
    uint32_t struct_size;
    const char *version;  /* of the program, "0.1.0"; lives as long as the library */

    /*
     * Asks, waiting at most the request's deadline. Always fills *verdict (when its struct_size permits) and returns
     * PULLGUARD_ALLOW or PULLGUARD_DENY. NULL arguments and versions that do not fit are a deny. Since ABI 1.
     */
    uint32_t (*ask)(const struct pullguard_request *request, struct pullguard_verdict *verdict);
};

/*
 * The one exported function. abi_version: the caller's PULLGUARD_ABI_VERSION. Returns a table that lives as long as the
 * library, or NULL when the library cannot serve that version: the caller must then refuse the image. Since ABI 1.
 */
const struct pullguard_api *pullguard_entry(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
