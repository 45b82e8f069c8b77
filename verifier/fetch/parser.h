/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the parser child. Each call is one message there and one back; the fetcher itself never reads those bytes. */
#ifndef PG_VERIFIER_FETCH_PARSER_H
#define PG_VERIFIER_FETCH_PARSER_H

#include "verifier/fetch/auth_parse.h"

bool parser_ask_challenge(int fd, struct span lines, struct challenge *ret, struct error *err) MUST_CHECK;
bool parser_ask_token(int fd, struct span body, struct token_answer *ret, struct error *err) MUST_CHECK;
/* NULL when the body says nothing or the parser fails. */
char *parser_ask_error_text(int fd, struct span body);

#endif
