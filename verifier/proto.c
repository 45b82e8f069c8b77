/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/proto.h"

bool proto_fields(const struct node *node, const char *what, const struct field *fields, size_t count,
                  struct error *err)
{
    struct field loose[PROTO_FIELDS_MAX] = {0};

    if (count > PROTO_FIELDS_MAX)
        return error_set(err, REASON_INTERNAL, "%s: too many fields in its table", what);
    for (size_t i = 0; i < count; i++)
        loose[i] = (struct field){fields[i].name, FIELD_ANY, false, fields[i].place};
    if (!node_fields(node, what, loose, count, false, REASON_MALFORMED, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct node *value = *fields[i].place;

        if (node_is(value, NODE_NULL))
            value = *fields[i].place = NULL;
        if (!value && fields[i].mandatory)
            return error_set(err, REASON_MALFORMED, "%s: %s is missing", what, fields[i].name);
        if (value && fields[i].kind != FIELD_ANY && (int)value->kind != fields[i].kind)
            return error_set(err, REASON_MALFORMED, "%s: %s is a %s, not a %s", what, fields[i].name,
                             node_kind_name(value->kind), node_kind_name((enum node_kind)fields[i].kind));
    }
    return true;
}

bool proto_uint(const struct node *node, const char *what, uint64_t *ret, struct error *err)
{
    int64_t value = 0;

    if (node && (!node_int(node, true, &value) || value < 0))
        return error_set(err, REASON_MALFORMED, "%s is not a number from 0 on", what);
    *ret = (uint64_t)value;
    return true;
}
