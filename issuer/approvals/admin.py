"""Proposals as staff see them; what is proposed is confirmed on the page of its subject."""

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from issuer.approvals.models import Approval, Proposal
from issuer.foundation.admin import ReadOnlyAdmin


class ApprovalInline(ReadOnlyAdmin, TabularInline):
    """Who confirmed a proposal, under it."""

    model = Approval
    extra = 0


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin, ModelAdmin):
    """What one person proposed, and what became of it."""

    list_display = ("proposed_at", "action", "subject_id", "proposer", "state", "closed_at")
    list_filter = ("state", "action")
    list_select_related = ("proposer",)
    search_fields = ("subject_id", "payload_hash", "proposer__name")
    date_hierarchy = "proposed_at"
    ordering = ("-id",)
    show_full_result_count = False
    inlines = (ApprovalInline,)
